// The page of `sifcache report`, in a real browser.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { THEMES, WIDTHS, column, findings, launch, open, overflowing } from "./kit.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

// Runs `test` with a page, which must say nothing and ask for nothing.
const withPage = async (name, options, test) => {
    const opened = await open(browser, name, options);
    try {
        await test(opened);
        assert.deepEqual(opened.events, []);
    } finally {
        await opened.close();
    }
};

const openDetails = (page) => page.$$eval("details", (all) => all.forEach((one) => { one.open = true; }));

// axe-core takes seconds for a page. The empty report has no elements that the others lack.
const THEMES_OF = { testbed: THEMES, hostile: THEMES, empty: ["light"] };

for (const [name, themes] of Object.entries(THEMES_OF)) {
    describe(`the ${name} report`, () => {
        for (const [device, width] of Object.entries(WIDTHS)) {
            for (const theme of themes) {
                it(`is accessible and fits on a ${device} with the ${theme} theme`, () =>
                    withPage(name, { width, theme }, async ({ page }) => {
                        assert.deepEqual(await overflowing(page), []);
                        await openDetails(page);
                        assert.deepEqual(await overflowing(page), []);
                        const { lines, passed } = await findings(page);
                        assert.deepEqual(lines, []);
                        assert.ok(passed.includes("color-contrast") && passed.includes("landmark-one-main"));
                    }));
            }
        }
    });
}

const isSorted = (numbers, sign) => numbers.every((number, at) => at === 0 || sign * (number - numbers[at - 1]) >= 0);

// The numbers of a column; null where the figure is unknown.
const numbers = (page, table, heading) =>
    page.$eval(`#${table}`, (table, heading) => {
        const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.includes(heading));
        return [...table.tBodies[0].rows].map(({ cells }) => (cells[at].dataset.value ? Number(cells[at].dataset.value) : null));
    }, heading);

describe("a table", () => {
    const images = "images-table";
    const heading = (page, text) => page.locator(`#${images} thead th`, { hasText: text });

    it("sorts by numbers, in both directions", () =>
        withPage("testbed", {}, async ({ page }) => {
            assert.equal(await heading(page, "Hits").getAttribute("aria-sort"), "descending");
            assert.ok(isSorted(await numbers(page, images, "Hits"), -1));
            await heading(page, "Users").getByRole("button").click();
            const users = await numbers(page, images, "Users");
            assert.ok(new Set(users).size > 1 && isSorted(users, -1), `${users}`);
            assert.equal(await heading(page, "Users").getAttribute("aria-sort"), "descending");
            assert.equal(await heading(page, "Hits").getAttribute("aria-sort"), null);
            await heading(page, "Users").getByRole("button").click();
            assert.ok(isSorted(await numbers(page, images, "Users"), 1));
            assert.equal(await heading(page, "Users").getAttribute("aria-sort"), "ascending");
        }));

    it("sorts by names as people do", () =>
        withPage("hostile", {}, async ({ page }) => {
            const heading = page.locator("#nodes-table thead th", { hasText: "Node" });
            await heading.getByRole("button").click();
            assert.equal(await heading.getAttribute("aria-sort"), "descending");
            const descending = await column(page, "nodes-table", 0);
            await heading.getByRole("button").click();
            assert.equal(await heading.getAttribute("aria-sort"), "ascending");
            const ascending = await column(page, "nodes-table", 0);
            assert.deepEqual(ascending, [...descending].reverse());
            assert.equal(ascending.indexOf("n10"), ascending.indexOf("n2") + 1, `${ascending}`);
        }));

    it("has unknown figures last", () =>
        withPage("testbed", {}, async ({ page }) => {
            for (const order of ["descending", "ascending"]) {
                await heading(page, "Size").getByRole("button").click();
                assert.equal(await heading(page, "Size").getAttribute("aria-sort"), order);
                const sizes = await numbers(page, images, "Size");
                assert.equal(sizes.at(-1), null);
                const known = sizes.filter((size) => size !== null);
                assert.ok(known.length > 3 && !sizes.slice(0, known.length).includes(null));
                assert.ok(isSorted(known, order === "descending" ? -1 : 1));
            }
        }));

    it("filters its rows, and says how many there are", () =>
        withPage("testbed", {}, async ({ page }) => {
            const all = await column(page, images, 0);
            const filter = page.locator("#images").getByLabel("Filter");
            const status = page.locator("#images-table-status");
            assert.equal(await status.textContent(), "");
            await filter.fill("ALPINE 3.");
            const shown = await column(page, images, 0);
            assert.ok(shown.length > 0 && shown.length < all.length);
            assert.ok(shown.every((name) => /alpine.*3\./.test(name)), `${shown}`);
            const rows = await page.locator(`#${images} tbody tr`).count();
            assert.equal(await status.textContent(), `${shown.length} of ${rows} rows`);
            await filter.fill("no such image");
            assert.deepEqual(await column(page, images, 0), []);
            assert.equal(await status.textContent(), `0 of ${rows} rows`);
            await filter.fill("");
            assert.deepEqual(await column(page, images, 0), all);
        }));

    it("shows its first rows, and all of them on request", () =>
        withPage("testbed", {}, async ({ page }) => {
            const rows = await page.locator(`#${images} tbody tr`).count();
            assert.ok(rows > 15);
            assert.equal((await column(page, images, 0)).length, 10);
            await page.locator("#images").getByRole("button", { name: `Show all ${rows} rows` }).click();
            assert.equal((await column(page, images, 0)).length, rows);
            await page.getByRole("button", { name: "Show the first 10 rows" }).click();
            assert.equal((await column(page, images, 0)).length, 10);
            // A filter finds the rows that are not shown.
            const last = (await page.locator(`#${images} tbody th`).last().textContent()).split(",")[0];
            await page.locator("#images").getByLabel("Filter").fill(last);
            assert.ok((await column(page, images, 0)).length >= 1);
        }));

    it("is still a table on a phone", () =>
        withPage("testbed", { width: WIDTHS.phone }, async ({ page }) => {
            assert.equal(await page.$eval(`#${images} td`, (cell) => getComputedStyle(cell).display), "grid");
            const table = page.getByRole("table", { name: /Images that served commands/ });
            assert.equal(await table.getByRole("columnheader").count(), 7);
            assert.equal(await table.getByRole("row").count(), 11);
            assert.equal(await table.getByRole("rowheader").count(), 10);
            assert.equal(await table.getByRole("cell").count(), 60);
            await heading(page, "Size").getByRole("button").click();
            assert.ok(isSorted((await numbers(page, images, "Size")).filter((size) => size !== null), -1));
        }));
});

describe("the keyboard", () => {
    const focused = (page) => page.evaluate(() => document.activeElement.textContent);

    it("skips to the report", () =>
        withPage("testbed", {}, async ({ page }) => {
            await page.keyboard.press("Tab");
            assert.equal(await focused(page), "Skip to the report");
            const link = page.locator("a.skip");
            const { x, y, width } = await link.boundingBox();
            assert.ok(x >= 0 && y >= 0 && width > 100, `${x} ${y} ${width}`);
            await page.keyboard.press("Enter");
            assert.equal(await page.evaluate(() => document.activeElement.id), "main");
            await page.keyboard.press("Tab");
            assert.ok(await page.evaluate(() => document.activeElement.closest("main .figures") !== null));
        }));

    it("reaches each control once, in the order of the page, with a visible focus", () =>
        withPage("testbed", {}, async ({ page }) => {
            const expected = await page.$$eval("a[href], button, input, summary", (all) => {
                const visible = all.filter((element) => element.checkVisibility());
                visible.forEach((element, number) => { element.dataset.number = number; });
                return visible.length;
            });
            const seen = [];
            for (let count = 0; count < expected; count += 1) {
                await page.keyboard.press("Tab");
                const { number, outline } = await page.evaluate(() => {
                    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                    return { number: document.activeElement.dataset.number, outline: `${outlineStyle} ${outlineWidth}` };
                });
                assert.equal(outline, "solid 3px", number);
                seen.push(Number(number));
            }
            assert.deepEqual(seen, [...Array(expected).keys()]);
        }));

    it("sorts with Enter and with the space bar", () =>
        withPage("testbed", {}, async ({ page }) => {
            const heading = page.locator("#images-table thead th", { hasText: "Jobs" });
            await heading.getByRole("button").focus();
            await page.keyboard.press("Enter");
            assert.equal(await heading.getAttribute("aria-sort"), "descending");
            await page.keyboard.press("Space");
            assert.equal(await heading.getAttribute("aria-sort"), "ascending");
            assert.match(await focused(page), /Jobs/);
        }));

    it("opens the table of a chart", () =>
        withPage("testbed", {}, async ({ page }) => {
            const details = page.locator("#days details");
            assert.equal(await details.locator("table").isVisible(), false);
            await details.locator("summary").focus();
            await page.keyboard.press("Enter");
            assert.equal(await details.locator("table").isVisible(), true);
        }));
});

describe("the theme", () => {
    const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bar = (page) => page.locator(".chart .wide rect.hits").first().evaluate((rect) => getComputedStyle(rect).fill);

    it("is that of the system, until the reader chooses one", () =>
        withPage("testbed", { theme: "dark" }, async ({ page }) => {
            const [dark, darkBar] = [await background(page), await bar(page)];
            const button = page.getByRole("button", { name: "Dark theme" });
            assert.equal(await button.getAttribute("aria-pressed"), "true");
            await button.click();
            assert.equal(await button.getAttribute("aria-pressed"), "false");
            assert.notEqual(await background(page), dark);
            assert.notEqual(await bar(page), darkBar);
            await page.emulateMedia({ colorScheme: "light" });
            await button.click();
            assert.deepEqual([await background(page), await bar(page)], [dark, darkBar]);
        }));

    it("moves nothing for readers who do not want that", async () => {
        for (const [reducedMotion, expected] of [["reduce", "auto"], ["no-preference", "smooth"]]) {
            await withPage("testbed", { reducedMotion }, async ({ page }) => {
                assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior), expected);
            });
        }
    });
});

describe("charts", () => {
    it("have a name and a description, in the size that fits", async () => {
        for (const [device, width] of Object.entries(WIDTHS)) {
            await withPage("testbed", { width }, async ({ page }) => {
                const charts = page.getByRole("img", { name: /by (the )?day/ });
                assert.equal(await charts.count(), 3, device);
                for (const chart of await charts.all()) {
                    const size = device === "phone" ? "narrow" : "wide";
                    assert.equal(await chart.getAttribute("class"), size);
                    const text = await chart.evaluate((svg) => document.getElementById(svg.getAttribute("aria-describedby")).textContent);
                    assert.match(text, /\d/);
                    const pixels = await chart.evaluate((svg) => svg.querySelector("text").getBoundingClientRect().height);
                    assert.ok(pixels >= 11, `${device}: labels of ${pixels} pixels`);
                }
            });
        }
    });
});

describe("a command", () => {
    it("is copied as it is", () =>
        withPage("testbed", { permissions: ["clipboard-read", "clipboard-write"] }, async ({ page }) => {
            const command = page.locator("#unused .command").first();
            const text = await command.locator("code").textContent();
            assert.match(text, /^sifcache gc .*--dry-run$/);
            await command.getByRole("button", { name: `Copy: ${text}` }).click();
            await command.getByRole("button", { name: `Copied: ${text}` }).waitFor();
            assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
        }));
});

describe("without JavaScript", () => {
    it("the page is complete, and has no control that does nothing", () =>
        withPage("testbed", { javaScriptEnabled: false }, async ({ page }) => {
            const rows = page.locator("#images-table tbody tr");
            assert.ok((await rows.count()) > 15);
            assert.equal(await rows.filter({ visible: true }).count(), await rows.count());
            assert.equal(await page.locator("button, input").filter({ visible: true }).count(), 0);
            assert.equal(await page.locator(".figures .value").filter({ visible: true }).count(), 6);
            assert.equal(await page.locator(".chart svg.wide").filter({ visible: true }).count(), 3);
        }));
});

describe("on paper", () => {
    it("the page is light and complete", () =>
        withPage("testbed", { theme: "dark" }, async ({ page }) => {
            await page.emulateMedia({ media: "print" });
            assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
            assert.equal(await page.locator("nav, button.theme, button.copy, .tools").filter({ visible: true }).count(), 0);
            const rows = page.locator("#images-table tbody tr");
            assert.equal(await rows.filter({ visible: true }).count(), await rows.count());
        }));
});

describe("hostile names", () => {
    it("are text, and not a part of the page", () =>
        withPage("hostile", {}, async ({ page }) => {
            assert.equal(await page.evaluate(() => document.scripts.length), 1);
            assert.equal(await page.locator("iframe, img, b, body object, body link, [onerror], [onclick]").count(), 0);
            const text = await page.evaluate(() => document.body.textContent);
            for (const name of process.env.SIFCACHE_HOSTILE_NAMES.split("\n")) {
                assert.ok(text.includes(name), name);
            }
            assert.equal(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text), false);
        }));
});

describe("an empty report", () => {
    it("says why there are no figures", () =>
        withPage("empty", {}, async ({ page }) => {
            const text = await page.locator("main").innerText();
            assert.match(text, /Nothing is known about the use of the cache\./);
            for (const id of ["days", "saved", "images", "misses", "nodes"]) {
                assert.match(await page.locator(`#${id}`).innerText(), /There are no figures here\. \S/, id);
            }
            assert.equal(await page.getByRole("img").count(), 0);
        }));
});
