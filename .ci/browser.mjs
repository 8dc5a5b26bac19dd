#!/usr/bin/env node
// browser.mjs FOLDER BROWSER COMMAND…: looks at the pages of a rehearsal in a real browser, without a network.
//
// COMMAND rehearses a release in waves; this script adds where the page is written, and how it is served. FOLDER has
// the packages of .ci/package.json in node/node_modules, and gets the pages and pictures of them.
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

// A tab, and a list of all that the page in it should not do.
async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 800, height: 900 }, ...options });
  const tab = await context.newPage();
  const complaints = [];
  tab.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
  tab.on('pageerror', error => complaints.push(`error: ${error}`));
  tab.on('requestfailed', request => complaints.push(`not loaded: ${request.url().slice(0, 80)}`));
  tab.on('request', request => {
    if (!/^(file:|data:|http:\/\/127\.0\.0\.1:)/.test(request.url())) complaints.push(`asks for ${request.url()}`);
  });
  return { tab, complaints, close: () => context.close() };
}

// How wide each graph is drawn; one that is not has no width.
const graphs = tab => tab.locator('.graph img').evaluateAll(images => images.map(image => image.naturalWidth));

// Looks at the page that was written, without a network, as people do who like it light or dark.
async function written(browser, colorScheme) {
  const { tab, complaints, close } = await open(browser, { colorScheme, offline: true });
  await tab.goto(pathToFileURL(page).href);
  assert.equal(await tab.locator('.language-mermaid').count(), 0, 'a graph is shown as its source');
  const widths = await graphs(tab);
  assert.ok(widths.length > 0 && widths.every(width => width > 100), `graphs are drawn this wide: ${widths}`);
  const back = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const graph = await tab.locator('.graph img').first().evaluate(image => image.currentSrc);
  const picture = resolve(folder, `ticket-${colorScheme}.png`);
  await tab.screenshot({ path: picture, fullPage: true });
  assert.deepEqual(complaints, []);
  await close();
  console.log(`The page where people like it ${colorScheme}: ${picture}`);
  return { back, graph };
}

// Looks at the ticket while the release goes on, and interrupts it before its end.
async function served(browser) {
  const rehearsal = spawn(command[0], [...command.slice(1), '--serve', '--out', page], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await watch(browser, rehearsal);
  } finally {
    rehearsal.kill('SIGKILL');
  }
}

async function watch(browser, rehearsal) {
  const lines = [];
  const ticket = new Promise((found, lost) => {
    for (const stream of [rehearsal.stdout, rehearsal.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        lines.push(line);
        const url = /the ticket is open: (\S+)/.exec(line);
        if (url) found(url[1]);
      });
    }
    rehearsal.on('exit', code => lost(new Error(`the rehearsal ended with ${code}:\n${lines.join('\n')}`)));
  });
  const { tab, complaints, close } = await open(browser, { colorScheme: 'light' });
  await tab.goto(await ticket);
  const row = tab.locator('tr', { hasText: 'in progress' }).first();
  await row.waitFor({ timeout: 60_000 });
  const before = await tab.locator('main').innerText();
  await tab.waitForFunction(before => document.querySelector('main')?.innerText !== before, before, { timeout: 60_000 });
  assert.ok((await graphs(tab)).every(width => width > 100), 'a graph is not drawn');
  assert.deepEqual(complaints, []);
  await close();
  console.log('The ticket that is served changes while one looks.');

  rehearsal.kill('SIGINT');
  const [code] = await once(rehearsal, 'exit');
  const said = lines.join('\n');
  assert.equal(code, 1, said);
  assert.match(said, /error: interrupted: the page shows what has happened so far/);
  assert.match(said, /The ticket as people see it: {2}.*served\.html/);
  console.log('Ctrl-C writes the page of what has happened so far.');
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] });
try {
  await served(browser);
  const light = await written(browser, 'light');
  const dark = await written(browser, 'dark');
  assert.notEqual(light.back, dark.back, 'light and dark look the same');
  assert.notEqual(light.graph, dark.graph, 'the graph is the same, light and dark');
} finally {
  await browser.close();
}
