//! The metrics and labels in a PromQL query.
//!
//! The grammar is that of prometheus/promql/parser/lex.go: a name that is not followed by `(` and is
//! neither a keyword nor a label is a metric.

/// A query.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// The metrics, each with the labels in its selector.
    pub(super) metrics: Vec<(String, Vec<String>)>,
    /// The labels after `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub(super) grouped: Vec<String>,
}

/// Words after which a list of labels follows.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Other words that are no metrics, besides the names of functions.
const WORDS: [&str; 9] = ["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Other(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '$';
    while let Some(c) = rest.next() {
        match c {
            '"' | '\'' | '`' => {
                let mut escaped = false;
                for inner in rest.by_ref() {
                    if inner == c && !escaped {
                        break;
                    }
                    escaped = inner == '\\' && !escaped;
                }
                tokens.push(Token::Other('"'));
            }
            '[' => {
                rest.by_ref().find(|inner| *inner == ']');
            }
            c if c.is_ascii_digit() || c == '.' => {
                // A number or a duration: 0.5, 1e3, 1h30m.
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
            }
            c if is_name(c) => {
                let mut name = c.to_string();
                while let Some(c) = rest.next_if(|c| is_name(*c)) {
                    name.push(c);
                }
                tokens.push(Token::Name(name));
            }
            c if c.is_whitespace() => {}
            c => tokens.push(Token::Other(c)),
        }
    }
    tokens
}

/// The names between the bracket at `at` and the closing one, and the place after that. In a
/// selector, the names before an operator are labels; strings are no names.
fn list(tokens: &[Token], at: usize, close: char) -> (Vec<String>, usize) {
    let end = tokens.iter().skip(at).position(|token| *token == Token::Other(close)).unwrap() + at;
    let names = tokens[at..end].iter().filter_map(|token| match token {
        Token::Name(name) => Some(name.clone()),
        Token::Other(_) => None,
    });
    (names.collect(), end + 1)
}

/// Parses a query.
pub(super) fn parse(text: &str) -> Query {
    let tokens = tokens(text);
    let mut query = Query::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Token::Name(name) = token else { continue };
        let next = tokens.get(at);
        let word = name.to_lowercase();
        if LISTS.contains(&word.as_str()) {
            let (labels, after) = list(&tokens, at, ')');
            query.grouped.extend(labels);
            at = after;
        } else if next != Some(&Token::Other('('))
            && !WORDS.contains(&word.as_str())
            && !is_aggregation(&tokens, at)
        {
            let mut labels = Vec::new();
            if next == Some(&Token::Other('{')) {
                (labels, at) = list(&tokens, at, '}');
            }
            query.metrics.push((name.clone(), labels));
        }
    }
    query
}

/// Whether an aggregation such as `sum by (x) (y)` is before this place.
fn is_aggregation(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at), Some(Token::Name(next)) if ["by", "without"].contains(&next.to_lowercase().as_str()))
}
