//! Tests of the whole page. tests/browser opens it in a real browser.

use super::frame::SECTIONS;
use super::render;
use crate::report::data::Report;
use crate::report::data::example::{self, HOSTILE};
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use crate::report::data::usage::{Day, Image, Node};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The values of an attribute, in the order of the page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The text between the first pair of these tags.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap().1.split_once(end).unwrap().0
}

/// The page without its style and script, which are constant.
fn content(page: &str) -> String {
    let style = between(page, "<style>", "</style>");
    page.replace(style, "").replace(between(page, "<script>", "</script>"), "")
}

/// The page of the report in which every name from outside is this one.
fn named(name: &str) -> String {
    let mut report = example::report();
    let text = || name.to_owned();
    report.host = text();
    report.cache.data.roots.iter_mut().for_each(|root| root.path = text());
    for image in &mut report.images.data.rows {
        (image.references, image.path) = (vec![text()], text());
    }
    report.misses.data.list.rows.iter_mut().for_each(|miss| miss.reference = text());
    report.unused.data.list.rows.iter_mut().for_each(|image| image.reference = text());
    for problem in &mut report.problems.data {
        (problem.subject, problem.what, problem.command) = (text(), text(), text());
    }
    report.nodes.data.iter_mut().for_each(|node| node.node = text());
    report.partitions.data.iter_mut().for_each(|partition| partition.partition = text());
    report.sources.iter_mut().for_each(|source| source.names = vec![text()]);
    render(&report)
}

#[test]
fn the_page_needs_no_other_file() {
    let page = render(&example::report());
    let links = values(&page, "href");
    assert!(links.len() > 30, "{links:?}");
    for link in links {
        assert!(link.starts_with('#') || link == "data:,", "{link}");
    }
    for word in ["src=", "url(", "@import", "@font-face", "fetch(", "srcset", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn the_policy_allows_only_the_style_and_the_script_of_the_page() {
    let page = render(&example::report());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    for (rule, tag) in [("style-src", "style"), ("script-src", "script")] {
        let text = between(&page, &format!("<{tag}>"), &format!("</{tag}>"));
        let hash = STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("{rule} 'sha256-{hash}';")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    // The policy does not allow these.
    let content = content(&page);
    assert!(!content.contains(" style=") && !content.contains(" onclick="));
}

#[test]
fn every_link_leads_to_one_element() {
    let mut without_filler = example::report();
    without_filler.sources.retain(|source| source.id != SourceId::Filler);
    let reports = [example::report(), example::empty(), without_filler];
    for page in reports.map(|report| render(&report)) {
        let ids = values(&page, "id");
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len());
        let links = values(&page, "href").into_iter().filter_map(|link| link.strip_prefix('#'));
        let named = ["aria-labelledby", "aria-describedby", "aria-controls", "for"];
        for id in links.chain(named.iter().flat_map(|name| values(&page, name))) {
            assert!(distinct.contains(id), "{id}");
        }
    }
}

#[test]
fn every_section_names_its_sources() {
    for page in [render(&example::report()), render(&example::empty())] {
        for (id, _) in SECTIONS.into_iter().filter(|(id, _)| *id != "sources") {
            let section = between(&page, &format!("<section id=\"{id}\""), "</section>");
            assert!(section.contains("<h2"), "{id}");
            let sources = between(section, "<p class=\"sources\">", "</p>");
            assert!(sources.contains("href=\"#source-"), "{id}: {section}");
        }
        let figures = between(&page, "<dl class=\"figures\">", "</dl>");
        assert_eq!(figures.matches("<dt>").count(), 6);
        assert_eq!(figures.matches("<p class=\"sources\">").count(), 6);
    }
}

#[test]
fn names_are_text() {
    let page = named(HOSTILE);
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!content(&page).contains("alert('\""));
    // Attributes end only where the template ends them.
    let escaped = named("\" onclick=x a='b' &lt; <b>");
    assert!(escaped.contains("&quot; onclick=x a='b' &amp;lt; &lt;b&gt;"));
    let steering = content(&named("a\u{1b}[2J\0\n\u{202e}\u{200b}b"));
    let raw = |c: char| c.is_control() || "\u{202e}\u{200b}".contains(c);
    assert!(!steering.chars().any(raw), "{:?}", steering.chars().find(|c| raw(*c)));
    assert!(steering.contains("a\\u{1b}[2J\\0\\n\\u{202e}\\u{200b}b"));
    // Such a command would not do what it shows.
    let escaped = "<div class=\"command escaped\"><pre><code>a\\u{1b}";
    assert_eq!(steering.matches(escaped).count(), 5, "{}", steering.matches("command\"").count());
}

#[test]
fn charts_have_text_and_no_colours_of_their_own() {
    let page = render(&example::report());
    for class in ["wide", "narrow"] {
        assert_eq!(page.matches(&format!("<svg class=\"{class}\" role=\"img\"")).count(), 3);
    }
    let days = "Hits and misses by day</title>";
    let shown = "69,801 hits and 8,080 misses. Most on 27\u{a0}Nov\u{a0}2026: 4,060 hits and \
                 606 misses. No log covers 1 day.";
    assert_eq!(
        (page.matches(days).count(), page.matches(shown).count()),
        (2, 2),
        "{}",
        between(&page, "-text\">", "<")
    );
    for (attribute, allowed) in [("fill", ["none"]), ("stroke", ["none"])] {
        for value in values(&content(&page), attribute) {
            assert!(allowed.contains(&value), "{attribute}={value}");
        }
    }
    // The bars of 30 days and one day without a log, in two sizes.
    let shapes = |class| page.matches(&format!("class=\"{class}\"/>")).count();
    assert_eq!([shapes("hits"), shapes("misses"), shapes("band")], [2 * 30, 2 * 30, 2]);
}

#[test]
fn a_report_without_data_says_so() {
    let page = render(&example::empty());
    assert!(
        page.contains("Nothing is known about the use of the cache. There is no log &lt;here&gt;.")
    );
    assert!(page.contains("There are no figures here. There is no image root &lt;here&gt;."));
    assert!(page.contains("No problem was found."));
    assert_eq!(page.matches("<dd class=\"value\">unknown</dd>").count(), 5);
    assert!(!page.contains("<table") && !page.contains("role=\"img\""));
}

/// A list that repeats its rows.
fn repeat<T: Clone>(rows: &mut Vec<T>, count: usize) {
    *rows = rows.iter().cloned().cycle().take(count).collect();
}

fn huge() -> Report {
    let mut report = example::report();
    repeat::<Image>(&mut report.images.data.rows, 10_000);
    report.images.data.total = 10_000;
    repeat::<Node>(&mut report.nodes.data, 10_000);
    repeat::<Problem>(&mut report.problems.data, 10_000);
    let mut day = report.days.data[0].day;
    repeat::<Day>(&mut report.days.data, 4_000);
    for entry in &mut report.days.data {
        entry.day = day;
        day = day.tomorrow().unwrap();
    }
    report.sources[0].names = vec!["/var/log/one-of-many".to_owned(); 1_000];
    report
}

#[test]
fn a_large_report_is_a_page_of_bounded_size() {
    let page = render(&huge());
    assert!(page.len() < 2_000_000, "{}", page.len());
    let json = "<code>sifcache report --since 2026-10-30T12:00:00Z --json";
    let left_out = format!("The first 500 of 10,000 rows. {json}</code> prints all");
    assert_eq!(page.matches(&left_out).count(), 2);
    assert!(page.contains(&format!("The first 200 of 10,000. {json}</code>")));
    assert!(page.contains("</code> and 988 more"));
    assert_eq!(page.matches("one-of-many").count(), 12);
    for end in ["h3", "title"] {
        assert!(page.contains(&format!(">Hits and misses in periods of 49 days</{end}>")));
    }
    // What `--top` has left out.
    let page = render(&example::report());
    assert!(page.contains(&format!("The first 41 of 87 rows. {json} --top 87</code>")));
}

/// With `--top 0`, a list has no rows, but is not empty.
#[test]
fn lists_without_rows_say_how_many_there_are() {
    let mut report = example::report();
    report.images.data.rows.clear();
    report.misses.data.list.rows.clear();
    report.unused.data.list.rows.clear();
    let page = render(&report);
    for (table, total) in [("images", 87), ("misses", 9), ("unused", 15)] {
        assert!(!page.contains(&format!("{table}-table")), "{table}");
        assert!(page.contains(&format!("None of {total} rows. <code>")), "{table}");
    }
}

#[test]
fn figures_are_those_of_the_report() {
    let page = render(&example::report());
    let lead = "99.0\u{a0}% of the 121,957 commands that asked for a container image found it in the cache.";
    assert!(page.contains(lead), "{}", between(&page, "<p class=\"lead\">", "</p>"));
    for figure in ["876\u{a0}GiB", "480\u{a0}GiB", "9 images", "180\u{a0}GiB", "3"] {
        assert!(page.contains(&format!("<dd class=\"value\">{figure}</dd>")), "{figure}");
    }
    // An unknown number sorts last, so it has no value.
    assert!(
        page.contains("<td class=\"figure\" data-label=\"Size\"><span class=\"unknown\">unknown")
    );
    assert!(page.contains("data-label=\"Hits\" data-value=\"10001\">10,001</td>"));
    assert!(page.contains(
        "<pre><code>sifcache gc --unused-for 60d --into /shared/sif --dry-run</code></pre>"
    ));
}

/// The cells of the row with this heading, as text.
fn row(page: &str, heading: &str) -> Vec<String> {
    let heading = format!(">{heading}");
    let mut rows = page.split("<th scope=\"row\"").skip(1);
    let rest = rows.find(|row| row.contains(&heading) && row.find(&heading) < row.find("</th>"));
    let rest = rest.unwrap();
    let row = rest.split("</tr>").next().unwrap();
    row.split("<td").skip(1).map(text).collect()
}

/// The text of an element, from within its first tag on.
fn text(element: &str) -> String {
    let parts = element.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text));
    let first = element.split_once('>').unwrap().1.split('<').next().unwrap();
    let rest: String = parts.skip(1).collect();
    format!("{first}{rest}").replace('\u{a0}', " ")
}

#[test]
fn rows_have_the_figures_of_their_columns() {
    let page = render(&example::report());
    let image = row(&page, "<bdi>quay.io/<wbr>lab2/<wbr>tool:<wbr>1.2</bdi>");
    let expected = ["5,002", "2,500", "3", "2.00 GiB", "9.77 TiB", "2026-11-29 10:00"];
    assert_eq!(image, expected);
    let removed = row(&page, "<bdi>o/<wbr>removed:<wbr>1</bdi>");
    assert_eq!(removed[3..5], ["unknown", "unknown"]);
    let node = row(&page, "<bdi>n01</bdi>");
    let covered = "2026-10-30 to 2026-11-29";
    let expected = ["cpu, debug", "503", "7", "98.6 %", "2026-11-29 12:59", covered];
    assert_eq!(node, expected);
    assert_eq!(row(&page, "<bdi>gpu</bdi>"), ["10 of 11", "30,030", "301", "99.0 %"]);
    let unused = row(&page, "<bdi>old/<wbr>image:<wbr>0</bdi>");
    assert_eq!(unused, ["20.0 GiB", "2026-05-13 14:00", "never"]);
    let day = row(&page, "<time datetime=\"2026-11-12\">2026-11-12</time>");
    assert_eq!(day, ["no log", "no log", "no log", "no log", "0"]);
    let root = row(&page, "<bdi>/<wbr>shared/<wbr>sif</bdi>");
    let kept = "12.0 GiBuntil 2026-12-01 15:00";
    assert_eq!(root, ["120", "480 GiB", "3", kept, "95.0 %of 1000 GiB used"]);
}

#[test]
fn misses_have_their_reasons_and_commands() {
    let page = render(&example::report());
    let miss = row(&page, "<bdi>o/<wbr>cut:<wbr>1</bdi>");
    assert_eq!(miss[..4], ["3", "15", "24", "2026-11-28 07:00"]);
    let why = "Jobs refused the file /shared/sif/o/cut:1: truncated";
    assert_eq!(miss[4], format!("{why}sifcache verify o/cut:1"));
    let miss = row(&page, "<bdi>pytorch/<wbr>pytorch:<wbr>2.9</bdi>");
    assert_eq!(miss[4], "Not in the cachesifcache add pytorch/pytorch:2.9");
    assert!(
        page.contains("The logs do not prove this, so nothing would be removed.</strong> There is")
    );
}
