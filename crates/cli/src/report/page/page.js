// Sorts, shortens and filters tables, copies commands and switches the theme. Without this script,
// the page has the same content.
"use strict";

// A table with more rows than this shows only the first ones, until the reader wants to see all.
const SHORT = 10;
const LONG = 15;

// A cell's value: a number, or its text. Unknown numbers are last in both directions.
const valueOf = (row, column, isNumber) => {
    const cell = row.cells[column];
    if (!isNumber) return cell.textContent.trim();
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
};

const compare = (a, b, isNumber) =>
    isNumber ? a - b : a.localeCompare(b, "en", { numeric: true, sensitivity: "base" });

const sort = (table, heading) => {
    const isNumber = heading.dataset.sort === "number";
    // Most readers look for high figures, and for names from A on.
    const orders = isNumber ? ["descending", "ascending"] : ["ascending", "descending"];
    const order = orders[heading.getAttribute("aria-sort") === orders[0] ? 1 : 0];
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const column = heading.cellIndex;
    const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column, isNumber), row]);
    rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b, isNumber);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
};

const makeButton = (className, ...content) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = className;
    button.append(...content);
    return button;
};

const makeSortable = (table) => {
    for (const heading of table.tHead.rows[0].cells) {
        const button = makeButton("sort", ...heading.childNodes);
        button.addEventListener("click", () => sort(table, heading));
        heading.append(button);
    }
};

const makeShort = (table) => {
    const count = table.tBodies[0].rows.length;
    if (count <= LONG) return;
    const button = makeButton("more");
    const show = (isShort) => {
        table.classList.toggle("short", isShort);
        button.setAttribute("aria-expanded", !isShort);
        button.textContent = isShort ? `Show all ${count} rows` : `Show the first ${SHORT} rows`;
    };
    button.setAttribute("aria-controls", table.id);
    button.addEventListener("click", () => show(!table.classList.contains("short")));
    table.after(button);
    show(true);
};

// Shows the rows that contain all words, also those that a short table hides.
const filter = (table, words, status) => {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
    }
    table.classList.toggle("filtered", words.length > 0);
    const shown = rows.filter((row) => !row.hidden).length;
    status.textContent = words.length === 0 ? "" : `${shown} of ${rows.length} rows`;
};

const makeFiltered = (tools, table) => {
    const [input, status] = [tools.querySelector("input"), tools.querySelector("[role=status]")];
    const update = () => filter(table, input.value.toLowerCase().split(/\s+/).filter(Boolean), status);
    input.addEventListener("input", update);
    tools.hidden = false;
    // A browser may keep the text when it loads the page again.
    update();
};

const makeCopied = (command) => {
    const text = command.textContent;
    const button = makeButton("copy");
    const say = (word) => {
        button.textContent = word;
        button.setAttribute("aria-label", `${word}: ${text}`);
    };
    button.addEventListener("click", async () => {
        try {
            await navigator.clipboard.writeText(text);
            say("Copied");
            setTimeout(() => say("Copy"), 2000);
        } catch {
            // Some browsers do not allow it for a local file.
            getSelection().selectAllChildren(command);
        }
    });
    say("Copy");
    command.parentNode.append(button);
};

const makeTheme = (button) => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const update = () => button.setAttribute("aria-pressed", isDark());
    button.addEventListener("click", () => {
        root.dataset.theme = isDark() ? "light" : "dark";
        update();
    });
    system.addEventListener("change", update);
    update();
    button.hidden = false;
};

for (const box of document.querySelectorAll("[data-table]")) {
    const [table, tools] = [box.querySelector("table"), box.querySelector(".tools")];
    makeSortable(table);
    makeShort(table);
    if (tools) makeFiltered(tools, table);
}
document.querySelectorAll(".command:not(.escaped) pre").forEach(makeCopied);
document.querySelectorAll("button.theme").forEach(makeTheme);
// Paper has no element to open.
addEventListener("beforeprint", () => {
    for (const element of document.querySelectorAll("details")) element.open = true;
});
