// NAME: does the service answer PING with PONG?
//
// Replace the conversation by your service's. `portscan plugin test .` builds
// the component and plays the transcripts with it.

import host from "portscan:plugin/host@VERSION";

const LONGEST_LINE = 256;

// Who it is. The runner reads this before it sends a packet.
export const plugin = {
  describe() {
    return {
      name: "NAME",
      version: "0.1.0",
      description: "Asks a service whether it is there",
      ports: [{ port: 7000, transport: "tcp" }],
      settings: [
        {
          name: "word",
          kind: "text",
          required: false,
          default: "PING",
          secret: false,
          help: "what to ask it with",
        },
      ],
      // The receipt: no more than this may be sent.
      sends: { what: "one line", largest: 64, packets: 1, connections: 1, amplification: "none" },
      sideEffect: "none",
      silence: { tag: "unexpected" },
      replyFrom: "same-port",
    };
  },
};

// What it does: a straight conversation, with a bound on every step.
export const check = {
  run(connection, endpoint, settings) {
    const word = settings.find((setting) => setting.name === "word").value.val;
    let line;
    try {
      connection.send(bytes(word + "\r\n"));
      line = receiveLine(connection);
    } catch (error) {
      // The peer fell silent or went away: inconclusive, in the host's words.
      throw error.payload ? { tag: "conversation", val: error.payload } : error;
    }
    switch (line) {
      case "PONG":
        return concluded("confirmed", "healthy", "it answers");
      case "BUSY":
        return concluded("confirmed", "unhealthy", "it is busy");
      default:
        return concluded("mismatch", "unknown", "it answers, but not as this service");
    }
  },
};

function concluded(verdict, health, summary) {
  return { verdict, health, summary, findings: [] };
}

// A line without its end, however it comes in pieces; null when it is too long.
function receiveLine(connection) {
  let line = "";
  while (line.length < LONGEST_LINE) {
    if (line.endsWith("\n")) return line.trimEnd();
    line += String.fromCharCode(...connection.receive(1, host.timeLeft()));
  }
  return null;
}

// There is no TextEncoder here: the engine is QuickJS, without the web's interfaces.
function bytes(text) {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
