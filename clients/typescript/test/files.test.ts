import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { DesignSchema, downloadFiles, OutputFormat, TransferError } from "../src/index.js";

const BYTES = Buffer.from("<svg/>");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

async function withStore(answers: [number, Buffer][], use: (url: string, folder: string) => Promise<void>): Promise<void> {
  const store = createServer((_, response) => {
    const [state, body] = answers.shift()!;
    response.writeHead(state, { connection: "close" }).end(body);
  });
  await new Promise<void>((listening) => store.listen(0, "127.0.0.1", listening));
  const folder = await mkdtemp(join(tmpdir(), "cutline-"));
  try {
    await use(`http://127.0.0.1:${(store.address() as AddressInfo).port}/`, folder);
    assert.deepEqual(answers, []);
  } finally {
    await rm(folder, { recursive: true });
    await new Promise((closed) => store.close(closed));
  }
}

function designAt(url: string) {
  const file = { url, sizeBytes: BigInt(BYTES.length), sha256: SHA256 };
  return create(DesignSchema, {
    artifacts: [{ ...file, kind: OutputFormat.CUT_LINE_SVG }],
    mockups: [{ ...file, scene: "laptop", mediaType: "image/jpeg" }],
  });
}

test("files are fetched under the names that every client gives them, again where the store did not answer well", async () => {
  await withStore([[503, BYTES], [200, BYTES], [200, BYTES]], async (url, folder) => {
    const paths = await downloadFiles(designAt(url), folder);
    assert.deepEqual(paths, [join(folder, "cutline.svg"), join(folder, "mockup-laptop.jpg")]);
    assert.deepEqual(await readFile(paths[0]!), BYTES);
  });
});

test("bytes that the design does not name are not kept", async () => {
  await withStore([[200, Buffer.from("<sgv/>")]], async (url, folder) => {
    await assert.rejects(downloadFiles(designAt(url), folder), TransferError);
    assert.deepEqual(await readdir(folder), []);
  });
});

test("an address that is not valid any more is not asked again", async () => {
  await withStore([[403, BYTES]], async (url, folder) => {
    await assert.rejects(downloadFiles(designAt(url), folder), /cutline.svg: the object store answered HTTP 403/);
  });
});
