/** Where the services are, who calls, and how the connection is kept private. */
export interface Settings {
  /** Address of the ingest service, such as `127.0.0.1:7001`. */
  ingestTarget: string;
  /** Address of the status service; the same where one address serves both. */
  statusTarget: string;
  /** An API key or another bearer token; a function is asked before every call, for tokens that expire. */
  credential: string | (() => string | Promise<string>);
  /** Speak TLS; with the system's authorities unless `caFile` names others. */
  tls?: boolean;
  /** PEM file of the authorities to trust. */
  caFile?: string;
  /** PEM files of a client certificate and its key, for mutual TLS. */
  clientCertFile?: string;
  clientKeyFile?: string;
}

/**
 * Reads the variables that every Cutline client knows: CUTLINE_INGEST_TARGET and CUTLINE_STATUS_TARGET (or CUTLINE_TARGET
 * for both), CUTLINE_API_KEY or CUTLINE_TOKEN, CUTLINE_TLS, CUTLINE_CA_FILE, CUTLINE_CLIENT_CERT_FILE and
 * CUTLINE_CLIENT_KEY_FILE.
 *
 * @throws Error that names every variable missing.
 */
export function settingsFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const both = env["CUTLINE_TARGET"];
  const needed = {
    CUTLINE_INGEST_TARGET: env["CUTLINE_INGEST_TARGET"] || both || "",
    CUTLINE_STATUS_TARGET: env["CUTLINE_STATUS_TARGET"] || both || "",
    CUTLINE_API_KEY: env["CUTLINE_TOKEN"] || env["CUTLINE_API_KEY"] || "",
  };
  const missing = Object.entries(needed).flatMap(([name, value]) => (value ? [] : [name]));
  if (missing.length > 0) {
    throw new Error(`not set: ${missing.join(", ")}`);
  }
  const settings: Settings = {
    ingestTarget: needed.CUTLINE_INGEST_TARGET,
    statusTarget: needed.CUTLINE_STATUS_TARGET,
    credential: needed.CUTLINE_API_KEY,
    tls: ["1", "true", "yes", "on"].includes((env["CUTLINE_TLS"] ?? "").toLowerCase()),
  };
  const files = {
    caFile: env["CUTLINE_CA_FILE"],
    clientCertFile: env["CUTLINE_CLIENT_CERT_FILE"],
    clientKeyFile: env["CUTLINE_CLIENT_KEY_FILE"],
  };
  return { ...settings, ...Object.fromEntries(Object.entries(files).filter(([, path]) => path)) };
}
