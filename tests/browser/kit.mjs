// Opens pages in a real Chromium, and watches what they do.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

// The pinned packages are in the cache, not next to this file: see `run`.
const { SIFCACHE_BROWSER_PACKAGES: packages, SIFCACHE_PAGES: pages } = process.env;
const require = createRequire(path.join(packages, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const WIDTHS = { phone: 360, tablet: 768, desktop: 1440 };
export const THEMES = ["light", "dark"];

// Chromium's sandbox cannot start as root, and the tests run as root. They open only pages that
// they have made themselves. `--disable-...`: the browser itself must not use the network either.
export const launch = () =>
    chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        timeout: 60_000,
    });

// Opens a page of the directory. Everything that it says or asks for is in `events`.
export const open = async (browser, name, { width = WIDTHS.desktop, theme = "light", ...options } = {}) => {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, ...options });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const url = pathToFileURL(path.join(pages, `${name}.html`)).href;
    const events = [];
    page.on("console", (message) => events.push(`console: ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => events.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => events.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
    page.on("request", (request) => {
        // Data is part of the page.
        const isPage = request.url().split("#")[0] === url || request.url().startsWith("data:");
        if (!isPage) events.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    return { page, events, url, close: () => context.close() };
};

// What axe-core finds in the page: `serious: color-contrast: .note`. The policy of the page does not
// apply to the debugger, which evaluates the text.
export const findings = async (page) => {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations", "passes"] }));
    const lines = violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
    return { lines, passed: passes.map(({ id }) => id) };
};

// The elements that are wider than the page, or whose text does not fit into them.
export const overflowing = (page) =>
    page.evaluate(() => {
        const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} in ${element.closest("section")?.id}`;
        const isHidden = (element) => element.closest(".hidden, .skip, thead") || !element.checkVisibility();
        const outside = (element) => {
            const { left, right } = element.getBoundingClientRect();
            return right > document.documentElement.clientWidth + 1 || left < -1;
        };
        const all = [...document.body.querySelectorAll("*")].filter((element) => !isHidden(element));
        return [
            ...(document.documentElement.scrollWidth > innerWidth ? ["the page"] : []),
            ...all.filter(outside).map(name),
            ...all.filter((element) => !element.closest("svg") && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline").map((element) => `inside ${name(element)}`),
        ];
    });

// The texts of one column, in the order of the page.
export const column = (page, table, number) =>
    page.$$eval(`#${table} tbody tr`, (rows, number) =>
        rows.filter((row) => row.checkVisibility()).map((row) => row.cells[number].textContent), number);
