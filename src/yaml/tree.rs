//! YAML text to a tree in which every node knows its place and its tag.
//!
//! It reads squall's own files, and CloudFormation and SAM templates (JSON ones too, as JSON is YAML).

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned, Tagged};

use super::finding::{Code, Finding, Findings};
use super::source::{Place, Source};

/// A node of a YAML text.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: Kind,
    /// `!Ref`, or `tag:yaml.org,2002:str` for `!!str`.
    pub tag: Option<String>,
    /// Of a scalar: its text, quotes included. Of a flow collection: from bracket to bracket. Of a block collection:
    /// its first key or dash. What an alias stands for is placed where it was defined.
    pub at: Place,
}

/// What a node holds. Only YAML 1.2's `true` and `false` are booleans; `0755` and `1_000` are texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing: `key:`, `~` or `null`.
    Null,
    Bool(bool),
    Int(i64),
    /// Finite always: an infinite or undefined number is a text.
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file. A key is there once.
    Map(Vec<Entry>),
    /// The value of an input, in the place of `{ input: NAME }`. Only experiments have any, so that no other
    /// node is larger for it.
    Input(Box<InputValue>),
}

/// The value that an input has in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputValue {
    pub name: String,
    pub kind: InputKind,
    /// As it is written.
    pub text: String,
}

/// The type of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKind {
    WholeNumber,
    Duration,
    Share,
    /// These may be chosen.
    Words(Vec<String>),
    /// Of an input that is not declared: there is a finding that says so.
    Unknown,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_at: Place,
    pub value: Node,
}

impl Node {
    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a mapping; of anything else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else none.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a text node. A number is not one.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A mapping with this node under one key, placed where the node is.
    pub fn under(&self, key: &str) -> Node {
        let entry = Entry { key: key.to_owned(), key_at: self.at, value: self.clone() };
        Node { kind: Kind::Map(vec![entry]), tag: None, at: self.at }
    }

    /// What the node is, for messages: `a list`.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Input(_) => "an input",
        }
    }
}

/// Levels of a file of squall, and of a template: state machines and OpenAPI documents are nested deep.
const DEEPEST: usize = 32;
const DEEPEST_TEMPLATE: usize = 48;

/// Reads a text. A text that is not YAML gives no tree and one finding; a key that stands twice is a finding, and the
/// tree has the first of the two.
pub fn parse(source: &Arc<Source>) -> (Option<Node>, Findings) {
    parse_with(source, &source.text, false, DEEPEST)
}

/// Reads the part of a text that is YAML, such as the front matter of a Markdown file. Places count from the start of the text.
pub fn parse_part(source: &Arc<Source>, part: Place) -> (Option<Node>, Findings) {
    let part = source.clamp(part);
    // Blanks in the place of everything else: every line and every byte of the part stays where it is.
    let mut text: String = source.text[..part.start].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
    text.push_str(&source.text[part.start..part.end]);
    parse_with(source, &text, false, DEEPEST)
}

/// Reads a CloudFormation template as CloudFormation does: of a key that stands twice the last one counts, with a
/// warning, and JSON may be indented with tabs.
pub fn parse_template(source: &Arc<Source>) -> (Option<Node>, Findings) {
    match source.text.trim_start().starts_with('{') && source.text.contains('\t') {
        // JSON has no tabs within its texts; a blank is as long as a tab, so that every place stays.
        true => parse_with(source, &source.text.replace('\t', " "), true, DEEPEST_TEMPLATE),
        false => parse_with(source, &source.text, true, DEEPEST_TEMPLATE),
    }
}

fn parse_with(source: &Arc<Source>, text: &str, last_counts: bool, deepest: usize) -> (Option<Node>, Findings) {
    let mut findings = Findings::default();
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // Found here, all of them, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: deepest,
            max_nodes: 100_000,
            max_documents: 1,
            max_total_scalar_bytes: 4 << 20,
        },
    };
    match serde_saphyr::from_str_with_options::<Raw>(text, options) {
        Ok(raw) => (Some(Convert { source, findings: &mut findings, last_counts }.node(raw)), findings),
        Err(error) => {
            findings.push(explain(source, &error, deepest));
            (None, findings)
        }
    }
}

type Raw = Tagged<Spanned<RawKind>>;

/// A node as the parser hands it over.
enum RawKind {
    Scalar(Kind),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawKind, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(i64::try_from(value).map_or(Kind::Float(value as f64), Kind::Int)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawKind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RawKind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawKind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(RawKind::Map(map))
    }
}

/// Turns the parser's tree into ours: places in bytes, collections with an end, each key once.
struct Convert<'a> {
    source: &'a Arc<Source>,
    findings: &'a mut Findings,
    /// Whether of a key that stands twice the last one counts, as in CloudFormation.
    last_counts: bool,
}

impl Convert<'_> {
    fn node(&mut self, raw: Raw) -> Node {
        let Tagged(Spanned { value, defined, .. }, tag) = raw;
        let at = place(self.source, defined);
        let (kind, at) = match value {
            RawKind::Scalar(kind) => (kind, self.trimmed(at)),
            RawKind::List(items) => {
                let items: Vec<Node> = items.into_iter().map(|item| self.node(item)).collect();
                let end = items.last().map_or(at.end, |item| item.at.end);
                (Kind::List(items), self.collection(at, at.start + 1, end))
            }
            RawKind::Map(entries) => {
                let entries = self.entries(entries);
                let first = entries.first().map_or(at.end, |entry| entry.key_at.end);
                let end = entries.last().map_or(at.end, |entry| entry.value.at.end.max(entry.key_at.end));
                (Kind::Map(entries), self.collection(at, first, end))
            }
        };
        Node { kind, tag, at }
    }

    fn entries(&mut self, raw: Vec<(Spanned<String>, Raw)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut seen = std::collections::BTreeMap::new();
        for (key, value) in raw {
            let key_at = place(self.source, key.defined);
            let value = self.node(value);
            match seen.get(&key.value) {
                Some(first) if self.last_counts => {
                    let what = format!("duplicate key `{}`: the last one counts", key.value);
                    self.findings.push(
                        Finding::new(Code::RepeatedKey, self.source, key_at, what)
                            .help("remove one of them")
                            .also(*first, "first here"),
                    );
                    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == key.value) {
                        *entry = Entry { key: key.value, key_at, value };
                    }
                }
                Some(first) => {
                    let what = format!("duplicate key `{}`", key.value);
                    self.findings.push(
                        Finding::new(Code::DuplicateKey, self.source, key_at, what)
                            .help("keep one of them")
                            .also(*first, "first here"),
                    );
                }
                None => {
                    seen.insert(key.value.clone(), key_at);
                    entries.push(Entry { key: key.value, key_at, value });
                }
            }
        }
        entries
    }

    /// Of a flow collection the whole, if it closes right after its last item; of a block collection its first line.
    fn collection(&self, at: Place, block_end: usize, last: usize) -> Place {
        let text = &self.source.text;
        let close = match text.as_bytes().get(at.start) {
            Some(b'{') => '}',
            Some(b'[') => ']',
            _ => return self.source.clamp(Place::new(at.start, block_end.max(at.end))),
        };
        let rest = text.get(last.max(at.end)..).unwrap_or_default();
        let gap = rest.len() - rest.trim_start_matches([' ', ',', '\n', '\r', '\t']).len();
        match rest[gap..].starts_with(close) {
            true => Place::new(at.start, last.max(at.end) + gap + 1),
            false => at,
        }
    }

    /// A block scalar ends with blank lines that should not be underlined.
    fn trimmed(&self, at: Place) -> Place {
        Place::new(at.start, at.start + self.source.slice(at).trim_end().len())
    }
}

/// The parser counts characters always, and bytes mostly.
fn place(source: &Source, location: Location) -> Place {
    let span = location.span();
    match (span.byte_offset(), span.byte_len()) {
        (Some(offset), Some(len)) => source.clamp(Place::new(offset as usize, (offset + len) as usize)),
        _ => {
            let byte =
                |chars: u64| source.text.char_indices().nth(chars as usize).map_or(source.text.len(), |(byte, _)| byte);
            Place::new(byte(span.offset()), byte(span.offset() + span.len()))
        }
    }
}

/// What the parser says, with our place and what to do.
fn explain(source: &Arc<Source>, error: &Error, deepest: usize) -> Finding {
    let error = error.without_snippet();
    // What went wrong inside of an alias is told where the alias stands.
    let inner = match error {
        Error::AliasError { error, .. } => error,
        error => error,
    };
    let at = error.location().map_or_else(Place::default, |location| place(source, location));
    let said = inner.to_string();
    // The place is ours to tell; the parser's own would stand in the middle of the sentence.
    let said = said.split(" at line ").next().unwrap_or(&said).trim_end_matches('.').to_owned();
    let (code, what, help) = match inner {
        Error::Budget { .. } if said.contains("Documents") => (
            Code::Syntax,
            "a second document begins here".into(),
            "a file holds one; put this one into a file of its own",
        ),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } if !said.contains("Depth") => (
            Code::Limit,
            "the text has more than 100,000 nodes after its aliases are expanded".into(),
            "split the file, or use fewer aliases",
        ),
        Error::Budget { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            (Code::Limit, format!("the text is nested deeper than {deepest} levels"), "use fewer levels")
        }
        _ if said.contains("recursion limit") => {
            (Code::Limit, format!("the text is nested deeper than {deepest} levels"), "use fewer levels")
        }
        _ if said.contains("tab") => (Code::Syntax, "tab used for indentation".into(), "use spaces"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            (Code::Syntax, "an alias refers to a value that contains it".into(), "write the value out")
        }
        Error::Unexpected { .. } | Error::NullIntoString { .. } => {
            (Code::Syntax, "a key must be a text".into(), "quote it if it should be text")
        }
        _ if said.contains("unknown anchor") => (
            Code::Syntax,
            "no anchor has this name".into(),
            "quote text that begins with `*`; an alias needs an anchor `&name` before it",
        ),
        _ if said.contains("mapping values are not allowed") => (
            Code::Syntax,
            "unexpected `:`".into(),
            "indent all keys of one mapping the same, and quote text that contains `: `",
        ),
        _ if said.contains("unexpected character") => {
            (Code::Syntax, format!("this is not YAML: {said}"), "quote text that begins with this character")
        }
        _ if said.contains("placement of ':'")
            || said.contains("bracket")
            || said.contains("quoted")
            || said.contains("flow") =>
        {
            (Code::Syntax, format!("this is not YAML: {said}"), "check for an unclosed bracket or quote")
        }
        Error::InvalidScalar { .. } => (Code::Syntax, "the value does not fit its tag".into(), "remove the tag"),
        _ => (Code::Syntax, format!("this is not YAML: {said}"), "compare the indentation with the lines around it it"),
    };
    Finding::new(code, source, at, what).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> (Arc<Source>, Node) {
        let source = Source::new("x.yaml", text);
        let (node, findings) = parse(&source);
        assert!(findings.is_empty(), "{}", findings.render(super::super::finding::Style::Plain));
        (source, node.unwrap())
    }

    fn findings(text: &str) -> Vec<String> {
        parse(&Source::new("x.yaml", text)).1.iter().map(|finding| format!("{} {finding}", finding.code.id())).collect()
    }

    #[test]
    fn every_node_knows_its_place() {
        let (source, root) = tree(
            "\u{feff}a: 'q'\r\nb: [1, { c: 1 % }, ]\r\nd:\r\n  e: >\r\n    one\r\n    two\r\n\r\nf: &x {}\ng: *x\n",
        );
        let shown = |node: &Node| source.slice(node.at).to_owned();
        assert_eq!(shown(&root), "a");
        assert_eq!(shown(root.get("a").unwrap()), "'q'");
        assert_eq!(shown(root.get("b").unwrap()), "[1, { c: 1 % }, ]");
        assert_eq!(shown(&root.get("b").unwrap().items()[1]), "{ c: 1 % }");
        assert_eq!(shown(root.get("d").unwrap()), "e");
        assert_eq!(shown(root.get("d").unwrap().get("e").unwrap()), "one\r\n    two");
        assert_eq!(shown(root.get("g").unwrap()), "{}");
    }

    #[test]
    fn scalars_are_what_they_look_like() {
        let (_, root) = tree(
            "- 1\n- 1.5\n- true\n- no\n- 0755\n- 1_000\n- .nan\n- ~\n- 5m\n- 1 %\n- '1'\n- 99999999999999999999\n",
        );
        let kinds: Vec<Kind> = root.items().iter().map(|node| node.kind.clone()).collect();
        let text = |text: &str| Kind::Text(text.into());
        assert_eq!(
            kinds,
            [
                Kind::Int(1),
                Kind::Float(1.5),
                Kind::Bool(true),
                text("no"),
                text("0755"),
                text("1_000"),
                text(".nan"),
                Kind::Null,
                text("5m"),
                text("1 %"),
                text("1"),
                Kind::Float(1e20),
            ]
        );
    }

    #[test]
    fn templates_keep_their_tags() {
        let (_, root) =
            tree("A: !Ref Queue\nB: !Sub '${A}-x'\nC: !Join ['', [a, !GetAtt X.Arn]]\nD: {Fn::GetAtt: [X, Arn]}\n");
        assert_eq!(root.get("A").unwrap().tag.as_deref(), Some("!Ref"));
        assert_eq!(root.get("C").unwrap().tag.as_deref(), Some("!Join"));
        assert_eq!(root.get("C").unwrap().items()[1].items()[1].tag.as_deref(), Some("!GetAtt"));
        assert_eq!(root.get("D").unwrap().get("Fn::GetAtt").unwrap().items().len(), 2);
    }

    #[test]
    fn what_is_not_yaml_is_one_finding_with_a_place() {
        insta::assert_snapshot!(
            [
                "a: 1\na: 2\nb: {c: 1, c: 2, c: 3}\n", "a:\n\tb: 1\n", "a: [1, 2\nb: 3\n", "a: 1\n b: 2\n", "a: \"x\n", "a: b: c\n", "- a\nb: 1", "{a: 1}}",
                "a: @x", "a: *nope", "null: 1", "? [a]\n: 1", "a: &a [*a]\n", "a: 1\n---\nb: 2\n", "a: \u{7}x", "a: !!int foo", "é: é: 1", "a: %x",
            ]
            .map(|text| format!("{text:?}\n  {}", findings(text).join("\n  ")))
            .join("\n"),
            @r#"
        "a: 1\na: 2\nb: {c: 1, c: 2, c: 3}\n"
          duplicate-key x.yaml:2:1: duplicate key `a`; keep one of them
          duplicate-key x.yaml:3:11: duplicate key `c`; keep one of them
          duplicate-key x.yaml:3:17: duplicate key `c`; keep one of them
        "a:\n\tb: 1\n"
          yaml-syntax x.yaml:2:2: tab used for indentation; use spaces
        "a: [1, 2\nb: 3\n"
          yaml-syntax x.yaml:2:2: this is not YAML: illegal placement of ':' indicator; check for an unclosed bracket or quote
        "a: 1\n b: 2\n"
          yaml-syntax x.yaml:2:3: unexpected `:`; indent all keys of one mapping the same, and quote text that contains `: `
        "a: \"x\n"
          yaml-syntax x.yaml:2:1: this is not YAML: invalid indentation in multiline quoted scalar; check for an unclosed bracket or quote
        "a: b: c\n"
          yaml-syntax x.yaml:1:5: unexpected `:`; indent all keys of one mapping the same, and quote text that contains `: `
        "- a\nb: 1"
          yaml-syntax x.yaml:2:1: this is not YAML: while parsing a block collection, did not find expected '-' indicator; compare the indentation with the lines around it it
        "{a: 1}}"
          yaml-syntax x.yaml:1:7: this is not YAML: misplaced bracket; check for an unclosed bracket or quote
        "a: @x"
          yaml-syntax x.yaml:1:4: this is not YAML: unexpected character: `@'; quote text that begins with this character
        "a: *nope"
          yaml-syntax x.yaml:1:4: no anchor has this name; quote text that begins with `*`; an alias needs an anchor `&name` before it
        "null: 1"
          yaml-syntax x.yaml:1:1: a key must be a text; quote it if it should be text
        "? [a]\n: 1"
          yaml-syntax x.yaml:1:3: a key must be a text; quote it if it should be text
        "a: &a [*a]\n"
          yaml-syntax x.yaml:1:8: an alias refers to a value that contains it; write the value out
        "a: 1\n---\nb: 2\n"
          yaml-syntax x.yaml:2:1: a second document begins here; a file holds one; put this one into a file of its own
        "a: \u{7}x"
          yaml-syntax x.yaml:1:4: this is not YAML: unexpected character: `\u{7}'; quote text that begins with this character
        "a: !!int foo"
          yaml-syntax x.yaml:1:10: the value does not fit its tag; remove the tag
        "é: é: 1"
          yaml-syntax x.yaml:1:5: unexpected `:`; indent all keys of one mapping the same, and quote text that contains `: `
        "a: %x"
          yaml-syntax x.yaml:1:4: this is not YAML: unexpected character: `%'; quote text that begins with this character
        "#
        );
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            laughs += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(","));
        }
        for text in [laughs, "[".repeat(40_000), "{a: ".repeat(40_000), "- 1\n".repeat(250_000), "a:\n ".repeat(50)] {
            let found = parse(&Source::new("x.yaml", text)).1;
            assert!(found.has_errors());
        }
    }
}
