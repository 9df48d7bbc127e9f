import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";

import type { Client } from "@connectrpc/connect";

import { Backoff } from "./backoff.js";
import type { Design } from "./gen/cutline/v1/design_pb.js";
import type { IngestService, Upload } from "./gen/cutline/v1/ingest_service_pb.js";
import { OutputFormat } from "./gen/cutline/v1/sticker_spec_pb.js";

const TRIES = 3;
const TIMEOUT_MS = 60_000;

const FILE_NAMES: Readonly<Partial<Record<OutputFormat, string>>> = {
  [OutputFormat.CUTOUT_PNG]: "cutout.png",
  [OutputFormat.CUT_LINE_SVG]: "cutline.svg",
  [OutputFormat.CUT_LINE_DXF]: "cutline.dxf",
  [OutputFormat.PRINT_PDF]: "print.pdf",
  [OutputFormat.PREVIEW_PNG]: "preview.png",
  [OutputFormat.REPORT_JSON]: "report.json",
};

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".tif": "image/tiff",
  ".tiff": "image/tiff",
  ".gif": "image/gif",
  ".avif": "image/avif",
  ".svg": "image/svg+xml",
};

/** A file of a design: what to call it, where it is and what it must be. */
export interface RemoteFile {
  name: string;
  url: string;
  sizeBytes: bigint;
  sha256: string;
}

/** The object store did not take or give a file, or gave other bytes than the design names. */
export class TransferError extends Error {
  override readonly name = "TransferError";
}

/**
 * Reserves an upload for a file and puts its bytes; the answer's `id` goes into `submitDesign`.
 *
 * @param mediaType Told by the file's extension unless given.
 * @throws TransferError The object store did not take the bytes.
 */
export async function uploadArtwork(
  ingest: Client<typeof IngestService>,
  path: string,
  mediaType: string = MEDIA_TYPES[extname(path).toLowerCase()] ?? "",
): Promise<Upload> {
  const artwork = await readFile(path);
  const filename = basename(path);
  const sizeBytes = BigInt(artwork.byteLength);
  const upload = await ingest.createUpload({ filename, mediaType, sizeBytes, sha256: sha256Of(artwork) });
  await transfer(`upload of ${filename}`, upload.url, { method: "PUT", headers: upload.headers, body: artwork });
  return upload;
}

/** Every artifact and mockup of a design that was read with addresses: by `getDesign`, or at the end of a watch. */
export function filesOf(design: Design): RemoteFile[] {
  const artifacts = design.artifacts.map((file) => ({ ...file, name: FILE_NAMES[file.kind] ?? `format-${file.kind}.bin` }));
  const mockups = design.mockups.map((file) => ({ ...file, name: `mockup-${file.scene}.${extension(file.mediaType)}` }));
  return [...artifacts, ...mockups].map(({ name, url, sizeBytes, sha256 }) => ({ name, url, sizeBytes, sha256 }));
}

/**
 * Fetches every file of a design into a folder, which is made where it does not exist, and compares each with what the
 * design promises. A file appears under its name only when it is whole.
 *
 * @returns The paths, in the order of `filesOf`.
 * @throws TransferError A file cannot be fetched, or is not what was promised.
 */
export async function downloadFiles(design: Design, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const file of filesOf(design)) {
    const bytes = await transfer(file.name, file.url);
    if (BigInt(bytes.byteLength) !== file.sizeBytes || sha256Of(bytes) !== file.sha256) {
      throw new TransferError(`${file.name}: the bytes are not those the design names`);
    }
    const path = join(folder, basename(file.name));
    await writeFile(`${path}.part`, bytes);
    await rename(`${path}.part`, path);
    paths.push(path);
  }
  return paths;
}

async function transfer(what: string, url: string, request: RequestInit = {}): Promise<Uint8Array> {
  const backoff = new Backoff();
  for (let triesLeft = TRIES - 1; ; triesLeft -= 1) {
    let fault: string;
    try {
      const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (answer.ok) {
        return new Uint8Array(await answer.arrayBuffer());
      }
      fault = `the object store answered HTTP ${answer.status}`;
      if (answer.status < 500) {
        triesLeft = 0;
      }
    } catch (error) {
      fault = `the object store cannot be reached (${String(error)})`;
    }
    if (triesLeft === 0) {
      throw new TransferError(`${what}: ${fault}`);
    }
    await backoff.pause();
  }
}

function extension(mediaType: string): string {
  return /^[a-z]+\/(?:x-)?([a-z0-9]+)/.exec(mediaType)?.[1]?.replace("jpeg", "jpg") ?? "bin";
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
