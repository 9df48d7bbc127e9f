/** Cutline for Node.js: the services as they are in the .proto files, and what makes them pleasant to use. */

export { connect, type Cutline } from "./client.js";
export { DesignDeletedError, problemOf, reasonOf, type FieldViolation, type Problem } from "./errors.js";
export { downloadFiles, filesOf, TransferError, uploadArtwork, type RemoteFile } from "./files.js";
export { settingsFromEnv, type Settings } from "./settings.js";
export {
  isTerminal,
  watchDesign,
  watchDesigns,
  type WatchDesignOptions,
  type WatchDesignsOptions,
  type WatchOptions,
} from "./watch.js";

export * from "./gen/cutline/v1/design_pb.js";
export * from "./gen/cutline/v1/ingest_service_pb.js";
export * from "./gen/cutline/v1/job_pb.js";
export * from "./gen/cutline/v1/queue_service_pb.js";
export * from "./gen/cutline/v1/report_pb.js";
export * from "./gen/cutline/v1/status_service_pb.js";
export * from "./gen/cutline/v1/sticker_spec_pb.js";
