//! Patterns with `*` and `?`, as IAM has them.

/// Whether a text matches a pattern with `*` and `?`.
pub fn like(pattern: &str, text: &str) -> bool {
    wild(pattern.as_bytes(), text.as_bytes(), |a, b| a == b)
}

/// The same, whatever the case of its letters.
pub fn like_ignoring_case(pattern: &str, text: &str) -> bool {
    wild(pattern.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// Greedy matching with one point to go back to: linear for a pattern with one star.
fn wild(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || same(*c, text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
