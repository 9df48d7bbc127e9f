"""The SDK: submit, watch and download from Python, light enough for any process."""
