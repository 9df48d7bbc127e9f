import { isIPv4 } from "node:net";

const ON: readonly string[] = ["1", "true", "yes", "on"];
const OFF: readonly string[] = ["0", "false", "no", "off"];

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
 * CUTLINE_CLIENT_KEY_FILE. Where CUTLINE_TLS is not set, TLS is on if any target is not this machine or a file for TLS is
 * named: no key crosses a network in plaintext by accident.
 *
 * @throws Error that names every variable missing, or a word for CUTLINE_TLS that is neither on nor off.
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
  const files = Object.entries({
    caFile: env["CUTLINE_CA_FILE"],
    clientCertFile: env["CUTLINE_CLIENT_CERT_FILE"],
    clientKeyFile: env["CUTLINE_CLIENT_KEY_FILE"],
  }).filter(([, path]) => path);
  const word = (env["CUTLINE_TLS"] ?? "").toLowerCase();
  if (word && !ON.includes(word) && !OFF.includes(word)) {
    throw new Error(`CUTLINE_TLS is ${JSON.stringify(env["CUTLINE_TLS"])}, neither on nor off`);
  }
  const away = ![needed.CUTLINE_INGEST_TARGET, needed.CUTLINE_STATUS_TARGET].every(onThisMachine);
  const settings: Settings = {
    ingestTarget: needed.CUTLINE_INGEST_TARGET,
    statusTarget: needed.CUTLINE_STATUS_TARGET,
    credential: needed.CUTLINE_API_KEY,
    tls: word ? ON.includes(word) : files.length > 0 || away,
  };
  return { ...settings, ...Object.fromEntries(files) };
}

/** Whether a target can only be this machine: a loopback address or `localhost`. */
function onThisMachine(target: string): boolean {
  const host = target
    .replace(/^.*\//, "")
    .replace(/^(dns|ipv4|ipv6):/, "")
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
