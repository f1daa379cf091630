// Somebody else's wallet and verifier of mdocs, @auth0/mdl: one JSON command on standard input, one answer on standard
// output. `present` makes a DeviceResponse of an IssuerSigned, `verify` says what each check of a DeviceResponse found.
import { readFileSync } from 'node:fs';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const Wall = globalThis.Date;
globalThis.Date = class extends Wall { // the library asks the clock, and our documents have their own time
  constructor(...given) { super(...(given.length ? given : [asked.at * 1000])); }
  static now() { return asked.at * 1000; }
};
const mdl = (await import('@auth0/mdl')).default;
const { DataItem, DeviceResponse, Verifier, parse } = mdl;
const bytes = (hex) => Buffer.from(hex, 'hex');

const unseen = console.log;
console.log = () => {}; // what the library says in between is no answer

function whole(issuerSigned, docType) {
  const text = (value) => Buffer.concat([Buffer.from([0x78, value.length]), Buffer.from(value)]);
  return Buffer.concat([
    Buffer.from([0xa3]), text('version'), text('1.0'), text('documents'), Buffer.from([0x81, 0xa2]),
    text('docType'), text(docType), text('issuerSigned'), issuerSigned, text('status'), Buffer.from([0]),
  ]);
}

async function present() {
  const held = parse(whole(bytes(asked.issuerSigned), asked.docType));
  const fields = asked.wishes.map(([space, name]) => ({ path: [`$['${space}']['${name}']`], intent_to_retain: false }));
  const wish = { id: asked.docType, format: { mso_mdoc: { alg: ['ES256'] } }, constraints: { fields } };
  const response = DeviceResponse.from(held)
    .usingPresentationDefinition({ id: 'one', input_descriptors: [wish] })
    .usingSessionTranscriptBytes(bytes(asked.transcriptBytes))
    [asked.readerKey ? 'authenticateWithMAC' : 'authenticateWithSignature'](
      asked.deviceKey, ...(asked.readerKey ? [bytes(asked.readerKey), 'HS256'] : ['ES256']));
  return { response: (await response.sign()).encode().toString('hex') };
}

async function verify() {
  const checks = [];
  try {
    await new Verifier(asked.roots).verify(bytes(asked.response), {
      encodedSessionTranscript: bytes(asked.transcriptBytes),
      ...(asked.readerKey ? { ephemeralReaderKey: bytes(asked.readerKey) } : {}),
      onCheck: ({ status, check, reason }) => checks.push({ status, check, reason }),
    });
  } catch (error) {
    return { checks, refused: error.message };
  }
  return { checks };
}

unseen(JSON.stringify(await { present, verify }[asked.command]()));
