#!/usr/bin/env node
// browser.mjs FOLDER BROWSER COMMAND…: looks at the pages of a rehearsal in a real browser, without a network.
//
// COMMAND rehearses a release in waves; this script adds the options for the file of the page and for its server. FOLDER
// contains the packages of .ci/package.json in node/node_modules, and gets the pages and their pictures.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [folder, executablePath, ...command] = process.argv.slice(2);
const { chromium } = createRequire(resolve(folder, 'node', 'package.json'))('playwright-core');
const page = resolve(folder, 'served.html');

// A tab, and the list of faults of the page in it.
async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 800, height: 900 }, ...options });
  const tab = await context.newPage();
  const faults = [];
  tab.on('console', message => faults.push(`${message.type()}: ${message.text()}`));
  tab.on('pageerror', error => faults.push(`error: ${error}`));
  tab.on('requestfailed', request => faults.push(`not loaded: ${request.url().slice(0, 80)}`));
  tab.on('request', request => {
    if (!/^(file:|data:|http:\/\/127\.0\.0\.1:)/.test(request.url())) faults.push(`asks for ${request.url()}`);
  });
  return { tab, faults, close: () => context.close() };
}

// The width of each graph; a graph that is not drawn has none.
const graphs = tab => tab.locator('.graph img').evaluateAll(images => images.map(image => image.naturalWidth));

// Opens the file of the page without a network, in a browser with a light or a dark scheme.
async function checkPage(browser, colorScheme) {
  const { tab, faults, close } = await open(browser, { colorScheme, offline: true });
  await tab.goto(pathToFileURL(page).href);
  assert.equal(await tab.locator('.language-mermaid').count(), 0, 'a graph is visible as its source');
  const widths = await graphs(tab);
  assert.ok(widths.length > 0 && widths.every(width => width > 100), `graphs are drawn this wide: ${widths}`);
  const back = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const graph = await tab.locator('.graph img').first().evaluate(image => image.currentSrc);
  const picture = resolve(folder, `ticket-${colorScheme}.png`);
  await tab.screenshot({ path: picture, fullPage: true });
  assert.deepEqual(faults, []);
  await close();
  console.log(`The page in the scheme ${colorScheme}: ${picture}`);
  return { back, graph };
}

// Opens the ticket during the release, and interrupts the release before its end.
async function checkServer(browser) {
  const rehearsal = spawn(command[0], [...command.slice(1), '--serve', '--out', page], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await watch(browser, rehearsal);
  } finally {
    rehearsal.kill('SIGKILL');
  }
}

async function watch(browser, rehearsal) {
  const lines = [];
  const ticket = new Promise((resolveUrl, reject) => {
    for (const stream of [rehearsal.stdout, rehearsal.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        lines.push(line);
        const url = /the ticket is open: (\S+)/.exec(line);
        if (url) resolveUrl(url[1]);
      });
    }
    rehearsal.on('exit', code => reject(new Error(`the rehearsal ended with ${code}:\n${lines.join('\n')}`)));
  });
  const { tab, faults, close } = await open(browser, { colorScheme: 'light' });
  await tab.goto(await ticket);
  const row = tab.locator('tr', { hasText: 'in progress' }).first();
  await row.waitFor({ timeout: 60_000 });
  const before = await tab.locator('main').innerText();
  await tab.waitForFunction(before => document.querySelector('main')?.innerText !== before, before, { timeout: 60_000 });
  assert.ok((await graphs(tab)).every(width => width > 100), 'a graph is not drawn');
  assert.deepEqual(faults, []);
  await close();
  console.log('The open ticket changes during the release.');

  rehearsal.kill('SIGINT');
  const [code] = await once(rehearsal, 'exit');
  const output = lines.join('\n');
  assert.equal(code, 1, output);
  assert.match(output, /error: interrupted: the page shows what has happened so far/);
  assert.match(output, /The ticket as people see it: {2}.*served\.html/);
  console.log('Ctrl-C writes the page with the events so far.');
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] });
try {
  await checkServer(browser);
  const light = await checkPage(browser, 'light');
  const dark = await checkPage(browser, 'dark');
  assert.notEqual(light.back, dark.back, 'light and dark look the same');
  assert.notEqual(light.graph, dark.graph, 'the graph is the same, light and dark');
} finally {
  await browser.close();
}
