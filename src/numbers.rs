//! Numbers as people read them: few digits, thousands apart, shares in percent.

/// Three digits that count.
pub fn tidy(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powi(2 - value.abs().log10().floor() as i32);
    // Not shortened where digits would be lost in front of the point.
    let scale = scale.max(1.0);
    (value * scale).round() / scale
}

/// `23.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", tidy(share * 100.0))
}

/// `1,250`, rounded down; beyond a thousand million more digits say nothing.
pub fn thousands(number: f64) -> String {
    if number > 1e9 {
        return "1,000,000,000".to_owned();
    }
    let digits = format!("{}", number.max(0.0).floor());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A coordinate in a picture: one decimal, so that bytes are stable, and none where it is not needed.
pub fn coordinate(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, text) in
            [(0.7, "0"), (999.9, "999"), (1250.0, "1,250"), (1_234_567.0, "1,234,567"), (1e200, "1,000,000,000")]
        {
            assert_eq!(thousands(number), text);
        }
        for (share, text) in [(0.23456, "23.5 %"), (0.0004, "0.04 %"), (1.0, "100 %"), (0.0, "0 %")] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(tidy(12_345.678), 12_346.0);
    }
}
