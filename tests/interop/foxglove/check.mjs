// check.mjs CLIP...: what Foxglove needs of a clip, asked by independent readers: an index in which
// log times ascend, a schema that decodes every message, schemas of its own by their published field
// names, numbers and types, and one tree of frames that everything which is drawn stands in.
import { readFile } from "node:fs/promises";

import internal from "@foxglove/schemas/internal.js";
import { McapIndexedReader } from "@mcap/core";
import { decompress as unpackZstd } from "fzstd";
import lz4 from "lz4js";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";

const decompressHandlers = {
  zstd: (bytes, size) => unpackZstd(bytes, new Uint8Array(Number(size))),
  lz4: (bytes) => lz4.decompress(bytes),
};
const drawn = ["/scan", "/pose", "/scene"]; // and /event, which the Log panel lists

const published = new protobuf.Root();
for (const schema of Object.values(internal.foxgloveMessageSchemas)) {
  const enums = Object.values(internal.foxgloveEnumSchemas);
  const own = enums.filter((entry) => entry.parentSchemaName === schema.name);
  protobuf.parse(internal.generateProto(schema, own), published, { keepCase: true });
}

// The type and every message in it, against what Foxglove publishes under their names.
function compare(type, seen) {
  if (seen.has(type.fullName) || !type.fullName.startsWith(".foxglove.")) return;
  seen.add(type.fullName);
  const wanted = published.lookupType(type.fullName);
  for (const field of type.fieldsArray) {
    const other = wanted.fieldsById[field.id];
    const short = (name) => name.split(".").at(-1);
    const same =
      other && other.name === field.name && short(other.type) === short(field.type) &&
      other.repeated === field.repeated;
    if (!same) throw new Error(`${type.fullName}.${field.name} = ${field.id} is not what is published`);
    if (field.resolve().resolvedType instanceof protobuf.Type) compare(field.resolvedType, seen);
  }
}

// Frame ids anywhere in a message.
function frames(message, found = []) {
  for (const [name, value] of Object.entries(message)) {
    if (name === "frame_id") found.push(value);
    else if (value && typeof value === "object" && !ArrayBuffer.isView(value)) frames(value, found);
  }
  return found;
}

async function check(path) {
  const bytes = await readFile(path);
  const readable = {
    size: async () => BigInt(bytes.length),
    read: async (offset, length) => bytes.subarray(Number(offset), Number(offset + length)),
  };
  const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers });
  const types = new Map();
  const compared = new Set();
  for (const schema of reader.schemasById.values()) {
    const files = descriptor.FileDescriptorSet.decode(schema.data);
    const type = protobuf.Root.fromDescriptor(files).lookupType(schema.name);
    types.set(schema.id, type);
    compare(type, compared);
  }
  if (!compared.has(".foxglove.LaserScan")) throw new Error(`${path}: no scan to be drawn`);

  const parents = new Map();
  const wanted = new Set();
  const topics = new Set();
  let last = -1n;
  let count = 0n;
  for await (const message of reader.readMessages()) {
    const channel = reader.channelsById.get(message.channelId);
    if (message.logTime < last) throw new Error(`${path}: ${channel.topic} goes back in time`);
    last = message.logTime;
    count += 1n;
    topics.add(channel.topic);
    const content = types.get(channel.schemaId).decode(message.data);
    if (types.get(channel.schemaId).name === "FrameTransform")
      parents.set(content.child_frame_id, content.parent_frame_id);
    else if (drawn.includes(channel.topic)) for (const id of frames(content)) wanted.add(id);
  }
  if (count !== reader.statistics.messageCount) throw new Error(`${path}: ${count} messages by index`);
  for (const topic of [...drawn, "/verdict", "/event"])
    if (!topics.has(topic)) throw new Error(`${path}: no ${topic}`);

  const rootOf = (frame) => (parents.has(frame) ? rootOf(parents.get(frame)) : frame);
  const roots = new Set([...wanted].map(rootOf));
  if (wanted.has("") || roots.size !== 1)
    throw new Error(`${path}: ${[...wanted]} do not hang together: ${[...roots]}`);
  const about = [];
  for await (const metadata of reader.readMetadata())
    if (metadata.name === "counterexample") about.push(metadata.metadata);
  for (const key of ["gate", "scenario", "second", "unit_sha256"])
    if (!about[0]?.get(key)) throw new Error(`${path}: its metadata names no ${key}`);
  console.log(`${path}: ${count} messages, ${compared.size} of Foxglove's types, frames ${[...wanted]}`);
}

for (const path of process.argv.slice(2)) await check(path);
