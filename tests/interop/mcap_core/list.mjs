// list.mjs FILE...: prints every message of MCAP files as @mcap/core reads them, by the file's index
// and, once more, as a stream. The two must agree.
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";

import { McapIndexedReader, McapStreamReader } from "@mcap/core";
import { decompress as unpackZstd } from "fzstd";
import lz4 from "lz4js";

const decompressHandlers = {
  zstd: (bytes, size) => unpackZstd(bytes, new Uint8Array(Number(size))),
  lz4: (bytes) => lz4.decompress(bytes),
};

function line(channel, message) {
  const digest = createHash("sha256").update(message.data).digest("hex");
  return `${channel.topic} ${message.sequence} ${message.logTime} ${message.publishTime} ${digest}`;
}

async function indexed(path) {
  const handle = await open(path);
  const readable = {
    size: async () => BigInt((await handle.stat()).size),
    read: async (offset, length) => {
      const bytes = new Uint8Array(Number(length));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, Number(offset));
      if (bytesRead !== bytes.length) throw new Error(`${path}: cut off at byte ${offset}`);
      return bytes;
    },
  };
  const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers });
  const lines = [];
  for await (const message of reader.readMessages()) {
    lines.push(line(reader.channelsById.get(message.channelId), message));
  }
  await handle.close();
  return lines;
}

async function streamed(path) {
  const reader = new McapStreamReader({ decompressHandlers, validateCrcs: true });
  reader.append(await readFile(path));
  const channels = new Map();
  const found = [];
  for (let record; (record = reader.nextRecord()); ) {
    if (record.type === "Channel") channels.set(record.id, record);
    if (record.type === "Message") found.push(record);
  }
  if (!reader.done()) throw new Error(`${path}: the stream does not end with its footer`);
  found.sort((a, b) => (a.logTime < b.logTime ? -1 : a.logTime > b.logTime ? 1 : 0));
  return found.map((message) => line(channels.get(message.channelId), message));
}

for (const path of process.argv.slice(2)) {
  const lines = await indexed(path);
  const again = await streamed(path);
  if (lines.join("\n") !== again.join("\n")) throw new Error(`${path}: index and stream differ`);
  console.log([path.split("/").at(-1), ...lines].join("\n"));
}
