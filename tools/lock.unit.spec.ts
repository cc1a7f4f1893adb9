import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missingEntries } from './lock.ts';

describe('the completion of the lock file', () => {
  it('adds an entry for each platform that is wanted and not locked', () => {
    const lock = {
      packages: {
        '': {},
        'node_modules/tool': {
          version: '2.0.0',
          dev: true,
          optionalDependencies: { '@tool/linux-x64-musl': '2.0.0', '@tool/linux-x64-gnu': '2.0.0', 'tool-win32-arm64': '2.0.0' },
        },
        'node_modules/@tool/linux-x64-gnu': { version: '2.0.0' },
      },
    };
    assert.deepEqual(missingEntries(lock), {
      'node_modules/@tool/linux-x64-musl': { version: '2.0.0', dev: true, optional: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] },
      'node_modules/tool-win32-arm64': { version: '2.0.0', dev: true, optional: true, os: ['win32'], cpu: ['arm64'] },
    });
  });

  it('looks up an entry as Node would, from the place outwards', () => {
    const wants = { optionalDependencies: { 'tool-linux-x64': '1.0.0' } };
    const places = (...locked: string[]) => Object.fromEntries(locked.map((place) => [place, { version: '1.0.0' }]));
    assert.deepEqual(
      missingEntries({ packages: { 'apps/a/node_modules/tool': wants, ...places('apps/a/node_modules/tool-linux-x64') } }),
      {},
    );
    assert.deepEqual(missingEntries({ packages: { 'apps/a/node_modules/tool': wants, ...places('node_modules/tool-linux-x64') } }), {});
    assert.equal(
      Object.keys(missingEntries({ packages: { 'node_modules/tool': wants, ...places('apps/a/node_modules/tool-linux-x64') } })).length,
      1,
    );
  });

  it('refuses to guess the platform of a package that does not name it', () => {
    const lock = { packages: { 'node_modules/tool': { optionalDependencies: { extra: '1.0.0' } } } };
    assert.throws(() => missingEntries(lock), /lacks extra, wanted by node_modules\/tool; run `npm install`/);
  });
});
