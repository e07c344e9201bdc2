//! Dates as text: RFC 3339 in orders, HTTP's in replies, and SigV4's in requests. All are UTC.

/// Days since 1970 of a date of the Gregorian calendar; Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970; `civil_from_days` from the same place.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// Milliseconds since 1970, if all parts are in their ranges.
fn millis(year: i64, month: i64, day: i64, time: &str) -> Option<i64> {
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let [hour, minute, second] = [two(hour)?, two(minute)?, two(second)?];
    if hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) || !(1970..=9999).contains(&year) {
        return None;
    }
    let days = days(year, month, day);
    (civil(days) == (year, month, day)).then_some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000)
}

fn two(text: &str) -> Option<i64> {
    digits(text, 2)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Reads `2026-11-28T08:25:00Z`, and no other form.
pub fn rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    millis(digits(year, 4)?, two(month)?, two(day)?, time)
}

/// Reads `Sat, 28 Nov 2026 08:25:00 GMT`, as a server dates its replies.
pub fn http(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.strip_suffix(" GMT")?.split(' ');
    let day = two(words.next()?)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|known| *known == month)? as i64 + 1;
    let year = digits(words.next()?, 4)?;
    let time = words.next()?;
    words.next().is_none().then(|| millis(year, month, day, time))?
}

/// The time as SigV4 writes it: `20261128T082500Z`. Its first eight characters are the day.
pub fn amz(wall: i64) -> String {
    let seconds = wall.div_euclid(1000);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_say_the_same() {
        for (rfc, in_http, in_amz, wall) in [
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "19700101T000000Z", 0),
            ("2015-08-30T12:36:00Z", "Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z", 1_440_938_160_000),
            ("2028-02-29T23:59:59Z", "Tue, 29 Feb 2028 23:59:59 GMT", "20280229T235959Z", 1_835_481_599_000),
        ] {
            assert_eq!((rfc3339(rfc), http(in_http), amz(wall)), (Some(wall), Some(wall), in_amz.to_owned()));
        }
    }

    #[test]
    fn other_forms_are_not_read() {
        for text in [
            "",
            "2026-11-28",
            "2026-11-28T08:25:00",
            "2026-11-28T08:25:00+00:00",
            "2026-11-28T08:25:00.5Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-28T24:00:00Z",
            "+026-11-28T08:25:00Z",
            "2026-11-00T08:25:00Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        for text in ["", "Sat, 28 Nov 2026 08:25:00", "Saturday, 28-Nov-26 08:25:00 GMT", "Sat Nov 28 08:25:00 2026"] {
            assert_eq!(http(text), None, "{text}");
        }
    }
}
