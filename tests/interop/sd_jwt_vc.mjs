// Drives @sd-jwt/sd-jwt-vc: one JSON object with tasks on standard input, one JSON list of what came of them on standard output.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { SDJwtVcInstance, TypeMetadataFormatSchema } from "@sd-jwt/sd-jwt-vc";

const { issuer, holder, tasks } = JSON.parse(await new Response(process.stdin).text());

const signer = (jwk) => {
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  return (data) => sign("sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
};

const holds = (jwk, data, signature) => {
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, format: "jwk" });
  return verify("sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
};

const library = (statusList) =>
  new SDJwtVcInstance({
    signer: signer(issuer),
    signAlg: "ES256",
    verifier: async (data, signature) => holds(issuer, data, signature),
    hasher: (data, algorithm) => createHash(algorithm.replace("-", "")).update(Buffer.from(data)).digest(),
    hashAlg: "sha-256",
    saltGenerator: (length) => randomBytes(length).toString("hex"),
    kbSigner: signer(holder),
    kbSignAlg: "ES256",
    kbVerifier: async (data, signature, payload) => holds(payload.cnf.jwk, data, signature),
    statusListFetcher: async () => statusList,
  });

const work = {
  issue: async (task) => library().issue(task.claims, task.frame, { header: task.header }),
  present: async (task) =>
    library().present(task.document, task.frame, task.binding ? { kb: { payload: task.binding } } : undefined),
  verify: async (task) => {
    const options = { currentDate: task.at, skewSeconds: 60, keyBindingNonce: task.nonce };
    return (await library(task.status_list).verify(task.document, options)).payload;
  },
  type_metadata: async (task) => TypeMetadataFormatSchema.parse(task.document),
};

const results = [];
for (const task of tasks) {
  try {
    results.push({ made: await work[task.do](task) });
  } catch (error) {
    results.push({ refused: String(error.message ?? error) });
  }
}
process.stdout.write(JSON.stringify(results));
