"""A background model of a few nodes, so that the MODEL route can be measured without anybody's weights."""

from __future__ import annotations

from pathlib import Path

import onnx

_RED_OVER_GREEN = (1.0, -1.0, 0.0)
_SOFTNESS_PX = 9
_STEEPNESS = 20.0
_LEAST = 0.65


def write_network(path: Path) -> None:
    """Writes an ONNX file that rembg runs like U2-Net: subject is what is redder than green, a little blurred."""
    helper, types = onnx.helper, onnx.TensorProto
    half = _SOFTNESS_PX // 2
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights", "offset"], ["redness"]),
            helper.make_node(
                "AveragePool", ["redness"], ["smooth"], kernel_shape=[_SOFTNESS_PX, _SOFTNESS_PX], pads=[half] * 4
            ),
            helper.make_node("Sigmoid", ["smooth"], ["mask"]),
        ],
        "redder-than-green",
        [helper.make_tensor_value_info("image", types.FLOAT, [1, 3, None, None])],
        [helper.make_tensor_value_info("mask", types.FLOAT, [1, 1, None, None])],
        [
            helper.make_tensor("weights", types.FLOAT, [1, 3, 1, 1], [_STEEPNESS * share for share in _RED_OVER_GREEN]),
            helper.make_tensor("offset", types.FLOAT, [1], [-_STEEPNESS * _LEAST]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
