import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ROOT, runCommand } from './project.ts';

// A project of its own, installed to the letter of its lock file, whose `test` command is the program under tools/check.ts below.
const project = mkdtempSync(join(tmpdir(), 's2lab-launch-'));
after(() => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, 'tools'));
cpSync(join(ROOT, 'tools/launch.mjs'), join(project, 'tools/launch.mjs'));
cpSync(join(ROOT, 'package.json'), join(project, 'package.json'));
cpSync(join(ROOT, 'package-lock.json'), join(project, 'package-lock.json'));
symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
writeFileSync(
  join(project, 'tools/check.ts'),
  `const [word, value] = process.argv.slice(2) as [string, string];
if (word === 'exit') process.exit(Number(value));
if (word === 'version') console.log(process.version, value);
if (word === 'wait') {
  let signals = 0;
  process.on('SIGINT', () => { signals += 1; setTimeout(() => process.exit(10 + signals), 200); });
  setInterval(() => {}, 1000);
  console.log('ready');
}`,
);

const launch = (...args: string[]) => runCommand('node', ['tools/launch.mjs', ...args], { cwd: project });

describe('the launcher', () => {
  it('runs the command on the pinned Node, with the arguments', () => {
    const { version } = process;
    assert.deepEqual(launch('test', 'version', 'a b'), { ok: true, output: `${version} a b\n` });
  });

  it('keeps the exit status', async () => {
    const child = spawn('node', ['tools/launch.mjs', 'test', 'exit', '42'], { cwd: project });
    assert.equal(await new Promise((done) => void child.on('exit', done)), 42);
  });

  it('passes on SIGINT, once, and waits for the clean end', async () => {
    const child = spawn('node', ['tools/launch.mjs', 'test', 'wait'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => child.kill('SIGINT'));
    assert.equal(await new Promise((done) => void child.on('exit', done)), 11);
  });

  it('refuses an unknown command in one line', () => {
    assert.deepEqual(launch('dance'), {
      ok: false,
      output: 'stage2-lab: unknown command dance; one of start, test, bench, fuzz, drills, images, lint, provision, lock\n',
    });
  });

  it('names what is missing when the lock file is gone', () => {
    rmSync(join(project, 'package-lock.json'));
    assert.deepEqual(launch('test'), { ok: false, output: 'stage2-lab: package-lock.json is missing; restore it from the repository\n' });
  });
});
