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
