use super::*;
use crate::schedule::zone::Zone;

fn calendar(events: &str) -> Result<Calendar, Doubt> {
    read(&format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n"))
}

fn event(lines: &str) -> Calendar {
    calendar(&format!("BEGIN:VEVENT\r\n{}END:VEVENT\r\n", lines.replace('\n', "\r\n"))).unwrap()
}

fn closed(calendar: &Calendar) -> Vec<String> {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let (from, to) = ("2027-03-01T00:00:00Z".parse().unwrap(), "2027-04-30T00:00:00Z".parse().unwrap());
    let short = |time: crate::units::Time| time.to_string()[5..16].to_owned();
    let all = calendar.events.iter().flat_map(|event| event.closed(&berlin, from, to));
    all.map(|closed| match closed.to == crate::units::Time::NEVER {
        true => format!("{} for ever", short(closed.from)),
        false => format!("{} {}", short(closed.from), short(closed.to)),
    })
    .collect()
}

#[test]
fn events_close_from_their_start_to_their_end() {
    let day = event("SUMMARY:Freeze\\, all day\nDTSTART;VALUE=DATE:20270327\nDTEND;VALUE=DATE:20270329\n");
    assert_eq!(closed(&day), ["03-26T23:00 03-28T22:00"]);
    assert_eq!(closed(&event("DTSTART:20270327T180000\nDURATION:PT1H30M\n")), ["03-27T17:00 03-27T18:30"]);
    assert_eq!(closed(&event("DTSTART:20270327T180000Z\nDTEND:20270327T190000Z\n")), ["03-27T18:00 03-27T19:00"]);
    let zoned = "DTSTART;TZID=America/New_York:20270315T090000\nDTEND;TZID=America/New_York:20270315T100000\n";
    assert_eq!(closed(&event(zoned)), ["03-15T13:00 03-15T14:00"]);
    assert_eq!(
        closed(&event("DTSTART:20270327T180000Z\nDTEND:20270327T190000Z\nSTATUS:CANCELLED\n")),
        Vec::<String>::new()
    );
    // A long line is folded; an alarm's properties are not the event's.
    let folded = "DTSTART:2027\n 0327T180000Z\nDURATION:P1D\nBEGIN:VALARM\nDURATION:PT5M\nTRIGGER:-PT5M\nEND:VALARM\n";
    assert_eq!(closed(&event(folded)), ["03-27T18:00 03-28T18:00"]);
}

#[test]
fn rules_that_are_understood_repeat_them() {
    let rule = |rule: &str| closed(&event(&format!("DTSTART:20270302T180000\nDURATION:PT1H\nRRULE:{rule}\n")));
    assert_eq!(
        rule("FREQ=DAILY;INTERVAL=20;COUNT=3"),
        ["03-02T17:00 03-02T18:00", "03-22T17:00 03-22T18:00", "04-11T16:00 04-11T17:00"]
    );
    assert_eq!(
        rule("FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20270309"),
        ["03-02T17:00 03-02T18:00", "03-08T17:00 03-08T18:00", "03-09T17:00 03-09T18:00"]
    );
    assert_eq!(rule("FREQ=MONTHLY"), ["03-02T17:00 03-02T18:00", "04-02T16:00 04-02T17:00"]);
    assert_eq!(rule("FREQ=YEARLY;WKST=MO"), ["03-02T17:00 03-02T18:00"]);
    let except = "DTSTART:20270302T180000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE:20270309T180000\n";
    assert_eq!(closed(&event(except)), ["03-02T17:00 03-02T18:00", "03-16T17:00 03-16T18:00"]);
}

#[test]
fn what_is_not_understood_closes_more() {
    for rule in [
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=WEEKLY;BYSETPOS=1",
        "FREQ=HOURLY",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "FREQ=DAILY;BYDAY=MO",
        "INTERVAL=2",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;UNTIL=soon",
        "nonsense",
    ] {
        let odd = event(&format!("DTSTART:20270302T180000Z\nDURATION:PT1H\nRRULE:{rule}\n"));
        assert_eq!((closed(&odd), odd.doubts.len()), (vec!["03-02T18:00 for ever".to_owned()], 1), "{rule}");
    }
    let backwards = event("DTSTART:20270302T180000Z\nDTEND:20270301T180000Z\n");
    assert_eq!(closed(&backwards), ["03-02T18:00 for ever"]);
    let more = event("DTSTART:20270302T180000Z\nRDATE:20270303T180000Z\n");
    assert_eq!(closed(&more), ["03-02T18:00 for ever"]);
    let zone = event("DTSTART;TZID=W. Europe Standard Time:20270310T120000\nDURATION:PT1H\n");
    assert_eq!(closed(&zone), ["03-09T12:00 03-11T13:00"]);
    assert_eq!(
        zone.doubts[0].what,
        "the zone `W. Europe Standard Time` is not known; the event closes a day more on both sides"
    );
    for start in ["SUMMARY:no start\n", "DTSTART:20270230\n", "DTSTART:soon\n"] {
        assert!(closed(&event(start))[0].ends_with("for ever"), "{start}");
    }
}

#[test]
fn what_is_no_whole_calendar_is_refused() {
    for (text, what) in [
        ("", "the file has no calendar"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20270302\r\n", "the file ends before `END:VEVENT`"),
        (
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20270302\r\nEND:VEVENT\r\n",
            "the file ends before `END:VCALENDAR`",
        ),
        ("BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", "`END:VEVENT` has no `BEGIN`"),
        ("BEGIN:VEVENT\r\nEND:VEVENT\r\n", "`VEVENT` is outside of a VCALENDAR"),
        ("<html>\r\n", "this is not a line of an iCalendar file"),
        ("X:1\r\n", "this is not an iCalendar file"),
    ] {
        assert_eq!(read(text).unwrap_err().what, what);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(BEGIN|END|DTSTART|RRULE|DTEND|:|;|=|VEVENT|VCALENDAR|2027|0231|T|Z|P|[0-9]|\r\n| |é){0,40}") {
        let wrapped = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20270302T180000\r\n{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
        for text in [&text, &wrapped] {
            if let Ok(calendar) = read(text) {
                closed(&calendar);
            }
        }
    }
}
