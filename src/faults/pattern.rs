//! IAM's wildcards: `*` is any run of characters, `?` any one. Actions compare without regard to case, ARNs with it.
//!
//! Source: IAM user guide, "IAM JSON policy elements: Action" and "Resource".

/// Whether some text is matched by both patterns. A text without wildcards is a pattern that matches itself alone.
pub fn overlap(a: &str, b: &str) -> bool {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // Row i tells for each j whether the rests a[i..] and b[j..] have a text in common; from the ends to the starts.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=a.len()).rev() {
        let x = a.get(i).copied();
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let y = b.get(j).copied();
            // A star stands for nothing more, or takes the other side's next character, wildcard or not.
            row[j] = match (x, y) {
                (None, None) => true,
                (Some('*'), _) => below[j] || (y.is_some() && row[j + 1]),
                (_, Some('*')) => row[j + 1] || (x.is_some() && below[j]),
                (Some(x), Some(y)) => (x == y || x == '?' || y == '?') && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

/// Whether two patterns of actions have an action in common.
pub fn actions_overlap(a: &str, b: &str) -> bool {
    overlap(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_overlap_when_one_text_matches_both() {
        for (a, b, expected) in [
            ("*", "iam:PassRole", true),
            ("i*", "iam:*", true),
            ("?am:PassRole", "iam:*", true),
            ("*:PutItem", "iam:*", true),
            ("dynamodb:*", "iam:*", false),
            ("dynamodb:Put*", "dynamodb:*Item", true),
            ("sqs:Send*", "sqs:Receive*", false),
            ("", "*", true),
            ("", "a", false),
            ("a?", "a", false),
        ] {
            assert_eq!(overlap(a, b), expected, "{a} {b}");
        }
        assert!(actions_overlap("IAM:passrole", "iam:PassRole"));
        assert!(!overlap("arn:aws:sqs:::Orders", "arn:aws:sqs:::orders"));
    }

    /// The obvious matcher of a text without wildcards.
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => matches(&pattern[1..], text) || (!text.is_empty() && matches(pattern, &text[1..])),
            (Some(b'?'), Some(_)) => matches(&pattern[1..], &text[1..]),
            (Some(p), Some(t)) => p == t && matches(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn with_a_plain_text_it_is_a_match(pattern in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            prop_assert_eq!(overlap(&pattern, &text), matches(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn a_text_that_both_match_makes_them_overlap(a in "[ab*?]{0,5}", b in "[ab*?]{0,5}", text in "[ab]{0,7}") {
            prop_assert!(
                !(matches(a.as_bytes(), text.as_bytes()) && matches(b.as_bytes(), text.as_bytes())) || overlap(&a, &b)
            );
            prop_assert_eq!(overlap(&a, &b), overlap(&b, &a));
        }
    }
}
