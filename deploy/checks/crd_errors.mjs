// Reads a JSON list of custom resources on stdin and prints a JSON list of the same length: the errors of each.
//
// The schemas are compiled into validators that let unknown fields pass, as an API server without strict field
// validation drops them in silence. A validator reads every field that it knows, so a field that nobody read while its
// neighbours were read is one that the schema does not have.
import { readFileSync } from "node:fs";

const PACKAGES = {
  "cert-manager.io": "cert-manager",
  "external-secrets.io": "external-secrets",
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "networking.istio.io": "istio",
  "security.istio.io": "istio",
};
const OF_EVERY_RESOURCE = new Set(["apiVersion", "kind", "metadata", "spec", "data"]);

/** A stand-in for `value` that notes which of its fields are read, deeply; `unread` tells the others. */
function watched(value, path, unread) {
  if (value === null || typeof value !== "object") return value;
  const read = new Set();
  const inner = Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, watched(field, `${path}/${key}`, unread)]),
  );
  if (!Array.isArray(value)) {
    // An object of which nothing is read may hold anything: the schema does not look into it.
    unread.push(() => (read.size ? Object.keys(value).filter((key) => !read.has(key)) : []).map((key) => `${path}/${key}`));
  }
  return new Proxy(Array.isArray(value) ? Object.values(inner) : inner, {
    get(target, key) {
      if (typeof key === "string") read.add(key);
      return target[key];
    },
    ownKeys(target) {
      Reflect.ownKeys(target).forEach((key) => read.add(key));
      return Reflect.ownKeys(target);
    },
  });
}

async function errorsOf(resource) {
  const { apiVersion, kind } = resource;
  const pack = PACKAGES[apiVersion.split("/")[0]];
  let model;
  try {
    model = (await import(`@kubernetes-models/${pack}/${apiVersion}/${kind}`))[kind];
  } catch {
    return [`there is no schema of ${kind} in ${apiVersion}`];
  }
  const unread = [];
  const fields = Object.fromEntries(
    Object.entries(resource).map(([key, field]) => [key, key === "metadata" ? field : watched(field, `/${key}`, unread)]),
  );
  try {
    // Assigned, for a constructor copies what it is given and the copy would be read in place of the stand-in.
    Object.assign(new model(), fields).validate();
  } catch (error) {
    if (!error.errors) throw error;
    return error.errors.map((found) => `${found.instancePath || "/"}: ${found.message}`);
  }
  const unknown = [...Object.keys(resource).filter((key) => !OF_EVERY_RESOURCE.has(key)).map((key) => `/${key}`), ...unread.flatMap((ask) => ask())];
  return unknown.map((path) => `${path}: the schema has no such field`);
}

const resources = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(await Promise.all(resources.map(errorsOf))));
