//! Text from outside: names, titles and messages that anyone may have written. What is printed of it moves no cursor, colours
//! nothing and turns no text around.

/// A text from outside on one line, without the characters that move a cursor, colour a terminal or break XML.
pub fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text from outside without control characters but for line breaks; XML 1.0 and terminals take the rest.
pub fn printable(text: &str) -> String {
    let allowed = |c: char| c == '\n' || !(c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) || turns(c));
    text.chars()
        .map(|c| {
            if allowed(c) {
                c
            } else if c == '\t' {
                ' '
            } else {
                '\u{fffd}'
            }
        })
        .collect()
}

/// Whether a character turns the direction of the text around it, so that what is read is not what is written.
fn turns(c: char) -> bool {
    ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// A text on one line, its blanks kept.
pub fn flat(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect()
}

/// What a terminal is given: a text without control characters but for line breaks and tabs, and without those that turn text
/// around. Where `colours` are welcome, they stay; nothing else that begins with an escape does, and nothing hides text.
pub fn for_terminal(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(colour) = colour_at(rest).filter(|_| colours) {
            out.push_str(colour);
            rest = &rest[colour.len()..];
            continue;
        }
        out.push(if c != '\n' && c != '\t' && (c.is_control() || turns(c)) { '\u{fffd}' } else { c });
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A change of colour or weight at the start of a text: `ESC [ numbers m`, of which 8 would hide what follows.
fn colour_at(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    let hides = !numbers.starts_with("38;5;") && numbers[..end].split(';').any(|number| number == "8");
    (numbers[end..].starts_with('m') && !hides).then(|| &text[..text.len() - numbers.len() + end + 1])
}

/// JSON whose texts a terminal may be given: what [`for_terminal`] would take is escaped, so that the data stays the same.
pub fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => out.push(c),
            c if c.is_control() || turns(c) => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// A name from outside, in a sentence: without control characters, and without those that are not seen or turn the text.
pub fn plain(text: &str) -> String {
    let unseen = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || unseen(c) || turns(c) { '?' } else { c }).collect()
}

/// At most so many characters, with an ellipsis where something was cut.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_colours_and_nothing_else_that_moves_it() {
        let text = "\u{1b}[1m\u{1b}[38;5;9mred\u{1b}[0m\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\u{1b}[8mhidden\n\tx\u{1b}[";
        let seen = "\u{1b}[1m\u{1b}[38;5;9mred\u{1b}[0m\u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}[8mhidden\n\tx\u{fffd}[";
        assert_eq!(for_terminal(text, true), seen);
        assert!(!for_terminal(text, false).contains('\u{1b}'));
    }

    #[test]
    fn json_keeps_its_data() {
        let text = "a\u{1b}[2J\u{9b}\u{7f}\u{202e}\nb";
        let json = escaped_json(&serde_json::json!({ "text": text }).to_string());
        assert_eq!(for_terminal(&json, false), json);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["text"], text);
    }
}
