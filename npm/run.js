#!/usr/bin/env node
// Starts the program of this platform's package, and ends as it ends.
'use strict';

const { spawn } = require('node:child_process');
const { closeSync, openSync } = require('node:fs');

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64'];
const platform = `${process.platform}-${process.arch}`;

// The code for "nothing was changed".
function fail(text) {
  console.error(`ecs-bg: ${text}`);
  process.exit(3);
}

function program() {
  if (!PLATFORMS.includes(platform)) {
    fail(`there is no program for ${platform}; there is one for ${PLATFORMS.join(', ')}`);
  }
  const file = process.platform === 'win32' ? 'ecs-bg.exe' : 'ecs-bg';
  try {
    return require.resolve(`@ecs-bg/${platform}/${file}`);
  } catch {
    return fail(
      `the package @ecs-bg/${platform} is not installed. npm leaves it out with --omit=optional, and with a ` +
        'package-lock.json or node_modules of another platform. Run: npm install --include=optional ecs-bg',
    );
  }
}

// Ctrl-C on a terminal reaches every process of it. The program must not get it twice: a second one stops it
// at once.
function onTerminal() {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

// Before the program starts: from then on, no signal ends this process alone.
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of signals) {
  process.on(signal, () => {
    if (signal === 'SIGTERM' || !onTerminal()) {
      child.kill(signal);
    }
  });
}

const child = spawn(program(), process.argv.slice(2), { stdio: 'inherit' });
child.on('error', (error) => fail(`cannot start ${child.spawnfile}: ${error.message}`));

child.on('exit', (code, signal) => {
  if (signal === null) {
    process.exit(code);
  }
  for (const own of signals) {
    process.removeAllListeners(own);
  }
  process.kill(process.pid, signal);
});
