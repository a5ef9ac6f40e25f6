/** A real syslog server: rsyslog with its TLS module, as Debian has it, that writes what it gets into a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import type { SignedCertificate } from './certificate.ts';
import { ownChild, tempFolder } from './cleanup.ts';
import { freePorts } from './ports.ts';
import { eventually } from './wait.ts';

const program = '/usr/sbin/rsyslogd';

export interface Syslog {
  readonly url: string;
  /** What it has written, each as rsyslog has read it out of its message. */
  messages(): { readonly priority: number; readonly host: string; readonly id: string; readonly text: string }[];
  start(): Promise<void>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
}

/** @param certificate of the server; who connects has to show one by the same authority */
export async function startSyslog({ key, certificate, authority }: SignedCertificate): Promise<Syslog> {
  if (!existsSync(program)) throw new Error('no rsyslog here; install the Debian packages rsyslog and rsyslog-gnutls');
  const folder = tempFolder('syslog');
  const [out, settings] = [path.join(folder, 'messages'), path.join(folder, 'rsyslog.conf')];
  const port = await freePorts(1);
  writeFileSync(
    settings,
    `global(workDirectory="${folder}" maxMessageSize="32k" DefaultNetstreamDriver="gtls"
  DefaultNetstreamDriverCAFile="${authority}" DefaultNetstreamDriverCertFile="${certificate}" DefaultNetstreamDriverKeyFile="${key}")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
input(type="imtcp" port="${port}" address="127.0.0.1")
template(name="fields" type="string" string="%pri% %hostname% %app-name% %msgid% %msg%\\n")
action(type="omfile" file="${out}" template="fields")
`,
  );
  let child: ChildProcess;
  const start = async () => {
    child = spawn(program, ['-n', '-f', settings, '-i', path.join(folder, 'pid')], { stdio: 'ignore' });
    ownChild(child);
    await eventually('rsyslog to listen', () => answers(port), Boolean);
  };
  await start();
  return {
    url: `tls://127.0.0.1:${port}`,
    start,
    messages() {
      const lines = existsSync(out) ? readFileSync(out, 'utf8').split('\n').filter(Boolean) : [];
      return lines.map((line) => {
        const [, priority, host, id, text] = /^(\d+) (\S+) cloister (\S+) +(.*)$/.exec(line) ?? [];
        if (text === undefined) throw new Error(`rsyslog has read a message in another way: ${line}`);
        return { priority: Number(priority), host: host!, id: id!, text };
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
