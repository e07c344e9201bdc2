//! Sentences as people write them, right and wrong.

use super::*;
use proptest::prelude::*;

fn shown(text: &str) -> String {
    match sentence(text) {
        Ok(read) => format!(
            "{}\n    {:?} of {}{} {:?}{}{}{}",
            text.trim_end(),
            read.metric,
            read.subject.kind.map_or(String::new(), |kind| format!("{} ", kind.word())),
            read.subject.name,
            read.bound,
            read.control.map_or(String::new(), |control| format!(" of {}", control.name)),
            read.tolerating.map_or(String::new(), |share| format!(", tolerating {share}")),
            read.stop_at.map_or(String::new(), |value| format!(", stop at {value}")),
        ),
        Err(error) => {
            let at = error.at.clone();
            format!("{text}\n    {:?} {}; {}", text.get(at).unwrap_or("!!"), error.what, error.help)
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of sentences")]
fn sentences_read_aloud() {
    let texts = [
        "depth of orders > 5000",
        "depth of orders >5000",
        "messages in flight of orders at most 20",
        "delayed messages of orders < 3",
        "age of orders < 5m",
        "age of the oldest message of orders is at most 1h 30m",
        "messages done of orders at least 100",
        "failed share of ShopApi is at most 1 %",
        "share of ShopApi slower than 800 ms is at most 5 %",
        "share of ShopApi slower than 1.5s < 5%",
        "depth of OrdersDeadLetters stays at 0",
        "throttles of worker < 10",
        "concurrency of worker <= 10",
        "calls of ShopApi at least 100",
        "requests of api Shop are above 5.5",
        "calls of function Shop at least 1",
        "depth of queue stays at 0",
        "depth of queue queue stays at 0",
        "errors of 'at' stays at 0",
        "duration of worker is below 2s",
        "writes to OrdersTable at least 50",
        "alarm OrdersBacklogAlarm fires within 4m",
        "alarm orders-dlq stays quiet",
        "alarm CheckoutDown fires",
        "  Depth   of  orders.fifo   is  at  most  3 ",
    ];
    insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
    depth of orders > 5000
        Depth of orders Above(5000.0)
    depth of orders >5000
        Depth of orders Above(5000.0)
    messages in flight of orders at most 20
        InFlight of orders AtMost(20.0)
    delayed messages of orders < 3
        Delayed of orders Below(3.0)
    age of orders < 5m
        OldestMessage of orders Below(300.0)
    age of the oldest message of orders is at most 1h 30m
        OldestMessage of orders AtMost(5400.0)
    messages done of orders at least 100
        MessagesDone of orders AtLeast(100.0)
    failed share of ShopApi is at most 1 %
        FailedShare of ShopApi AtMost(0.01)
    share of ShopApi slower than 800 ms is at most 5 %
        SlowShare { limit: Span(800000) } of ShopApi AtMost(0.05)
    share of ShopApi slower than 1.5s < 5%
        SlowShare { limit: Span(1500000) } of ShopApi Below(0.05)
    depth of OrdersDeadLetters stays at 0
        Depth of OrdersDeadLetters AtMost(0.0)
    throttles of worker < 10
        Throttles of worker Below(10.0)
    concurrency of worker <= 10
        Concurrency of worker AtMost(10.0)
    calls of ShopApi at least 100
        Calls of ShopApi AtLeast(100.0)
    requests of api Shop are above 5.5
        Calls of api Shop Above(5.5)
    calls of function Shop at least 1
        Calls of function Shop AtLeast(1.0)
    depth of queue stays at 0
        Depth of queue AtMost(0.0)
    depth of queue queue stays at 0
        Depth of queue queue AtMost(0.0)
    errors of 'at' stays at 0
        Errors of at AtMost(0.0)
    duration of worker is below 2s
        Duration of worker Below(2.0)
    writes to OrdersTable at least 50
        Writes of OrdersTable AtLeast(50.0)
    alarm OrdersBacklogAlarm fires within 4m
        AlarmState of OrdersBacklogAlarm FiresWithin(Span(240000000))
    alarm orders-dlq stays quiet
        AlarmState of orders-dlq StaysQuiet
    alarm CheckoutDown fires
        AlarmState of CheckoutDown AtLeast(1.0)
      Depth   of  orders.fifo   is  at  most  3
        Depth of orders.fifo AtMost(3.0)
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of sentences")]
fn what_is_no_sentence_is_told_where_and_why() {
    let texts = [
        "",
        "depth",
        "depth of",
        "depth orders > 5",
        "deph of orders > 5",
        "latency of worker > 5s",
        "depth of orders",
        "depth of orders 5",
        "depth of orders >",
        "depth of orders > 5m",
        "depth of orders > -5",
        "depth of orders > NaN",
        "age of orders < 5",
        "failed share of ShopApi is at most 0.01",
        "failed share of ShopApi is at most 120 %",
        "share of ShopApi is at most 5 %",
        "share of ShopApi slower than 800 is at most 5 %",
        "depth of orders stays at 5",
        "depth of orders > 5 and age of orders > 5m",
        "depth of function worker > 5",
        "alarm X",
        "alarm X fires within soon",
        "depth of 'orders > 5",
        "depth of > 5",
    ];
    insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
        "" the sentence is empty; write `depth`, `messages in flight`, `delayed messages`, `age`, `age of the oldest message`, `messages done`, `calls`, `requests`, `invocations`, `errors`, `failed share`, `share`, `duration`, `throttles`, `concurrency`, `dropped events`, `writes` or `value`, then `of` and a name
    depth
        "" expected `of` after `depth`, found the end; write `depth of NAME ...`
    depth of
        "" expected a name, found the end; write a target name or a resource
    depth orders > 5
        "orders" expected `of` after `depth`, found `orders`; write `depth of NAME ...`
    deph of orders > 5
        "deph" `deph` is not a metric; did you mean `depth`?
    latency of worker > 5s
        "latency" `latency` is not a metric; did you mean `duration`?
    depth of orders
        "" expected a comparison, found the end; write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and a number such as `5000`
    depth of orders 5
        "5" expected a comparison, found `5`; write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and a number such as `5000`
    depth of orders >
        "" expected a number; write for example `5000`
    depth of orders > 5m
        "5m" `5m` is not a number, which this metric needs; write for example `5000`
    depth of orders > -5
        "-5" `-5` is not a number, which this metric needs; write for example `5000`
    depth of orders > NaN
        "NaN" `NaN` is not a number, which this metric needs; write for example `5000`
    age of orders < 5
        "5" `5` is not a duration, which this metric needs; write for example `5m`
    failed share of ShopApi is at most 0.01
        "0.01" `0.01` is not a share, which this metric needs; write for example `1 %`
    failed share of ShopApi is at most 120 %
        "120 %" `120 %` is not a share, which this metric needs; write for example `1 %`
    share of ShopApi is at most 5 %
        "is" expected `slower than` after `share of ShopApi`, found `is`; write `share of ShopApi slower than 800 ms ...` or `failed share of ShopApi ...`
    share of ShopApi slower than 800 is at most 5 %
        "800" `800` is not a valid duration; write for example `slower than 800 ms`
    depth of orders stays at 5
        "5" `stays at 5` is not a bound; `stays at` takes only 0; write `at most` or `at least`
    depth of orders > 5 and age of orders > 5m
        "5 and age of orders" `5 and age of orders` is not a number, which this metric needs; write for example `5000`
    depth of function worker > 5
        "depth of function worker > 5" a function has no such metric; it is measured on `queue`
    alarm X
        "" expected `stays quiet` or `fires within TIME`, found the end; write `stays quiet`, `fires within 4m`, or in a guard `fires`
    alarm X fires within soon
        "soon" `soon` is not a valid duration; write for example `fires within 4m`
    depth of 'orders > 5
        "'orders > 5" a quote is not closed; end the name with '
    depth of > 5
        ">" expected a name, found `>`; write a target name or a resource
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of sentences")]
fn sentences_say_what_is_tolerated_compared_and_spent() {
    let texts = [
        "depth of orders < 5000 tolerating 10 % of windows",
        "depth of orders < 5000 tolerating 0 % of the windows, stop at 20000",
        "depth of orders < 5000, tolerating 1 % of windows",
        "failed share of ShopApi is at most 1 %, stop at 50 %",
        "failed share of ShopApi at most 1.5 x baseline",
        "duration of worker is no more than 2 times the baseline, stop at 30s",
        "failed share of order is at most 2 x that of function catalogue, stop at 50 %",
        "failed share of order no more than 1.5 times that of catalogue",
        "failed share of order at most many x that of catalogue",
        "failed share of order at least 2 x that of catalogue",
        "failed share of order at most 2 x that of",
        "duration of order at most 2 x that of catalogue",
        "failed share of ShopApi spends at most 2 % of the budget of 99.9 % over 30d",
        "requests of ShopApi keep coming",
        "requests of ShopApi keep coming tolerating 10 % of windows",
        "failed share of ShopApi is at most 1 % tolerating 5 % of windows",
        "depth of orders < 5000 tolerating some of windows",
        "depth of orders < 5000 tolerating 5 % of days",
        "depth of orders < 5000 tolerating 100 % of windows",
        "depth of orders < 5000, stop at 50 %",
        "alarm X stays quiet tolerating 5 % of windows",
        "alarm X stays quiet, stop at 1",
        "failed share of ShopApi at least 1.5 x baseline",
        "failed share of ShopApi at most many x baseline",
        "depth of orders spends at most 2 % of the budget of 99.9 % over 30d",
        "failed share of ShopApi spends at most 2 of the budget of 99.9 % over 30d",
        "failed share of ShopApi spends at most 2 % of 99.9 %",
        "failed share of ShopApi spends at most 2 % of the budget of 100 % over 30d",
        "failed share of ShopApi spends at most 2 % of the budget of 99.9 % over some time",
    ];
    insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
    depth of orders < 5000 tolerating 10 % of windows
        Depth of orders Below(5000.0), tolerating 10 %
    depth of orders < 5000 tolerating 0 % of the windows, stop at 20000
        Depth of orders Below(5000.0), tolerating 0 %, stop at 20000
    depth of orders < 5000, tolerating 1 % of windows
        Depth of orders Below(5000.0), tolerating 1 %
    failed share of ShopApi is at most 1 %, stop at 50 %
        FailedShare of ShopApi AtMost(0.01), stop at 0.5
    failed share of ShopApi at most 1.5 x baseline
        FailedShare of ShopApi TimesBaseline(1.5)
    duration of worker is no more than 2 times the baseline, stop at 30s
        Duration of worker TimesBaseline(2.0), stop at 30
    failed share of order is at most 2 x that of function catalogue, stop at 50 %
        FailedShare of order TimesControl(2.0) of catalogue, stop at 0.5
    failed share of order no more than 1.5 times that of catalogue
        FailedShare of order TimesControl(1.5) of catalogue
    failed share of order at most many x that of catalogue
        "many x" `many x` does not say how many times; write for example `at most 2 x that of NAME`
    failed share of order at least 2 x that of catalogue
        "2 x" only an upper bound can be relative to a control; write for example `at most 2 x that of NAME`
    failed share of order at most 2 x that of
        "" expected a name, found the end; write a target name or a resource
    duration of order at most 2 x that of catalogue
        "that of catalogue" only a share of requests can be compared with a control; write `failed share of NAME at most 2 x that of OTHER`, or compare with the baseline
    failed share of ShopApi spends at most 2 % of the budget of 99.9 % over 30d
        FailedShare of ShopApi Spends { part: Share(0.02), objective: Objective { good: 0.9990000000000001, over: Span(2592000000000) } }
    requests of ShopApi keep coming
        Calls of ShopApi KeepsComing
    requests of ShopApi keep coming tolerating 10 % of windows
        Calls of ShopApi KeepsComing, tolerating 10 %
    failed share of ShopApi is at most 1 % tolerating 5 % of windows
        "tolerating 5 % of windows" `tolerating` does not apply to a share of requests: its bound is what is tolerated; remove `tolerating`, or tolerate a smaller share of the windows of a level
    depth of orders < 5000 tolerating some of windows
        "some" `some` is not a share; write for example `tolerating 5 % of windows`
    depth of orders < 5000 tolerating 5 % of days
        "of" expected `of windows`, found `of`; write for example `tolerating 5 % of windows`
    depth of orders < 5000 tolerating 100 % of windows
        "tolerating 100 % of windows" tolerating all windows makes the bound meaningless; remove `tolerating`, or tolerate a smaller share of the windows of a level
    depth of orders < 5000, stop at 50 %
        "50 %" `50 %` is not a number; write for example `stop at 5000`
    alarm X stays quiet tolerating 5 % of windows
        "tolerating 5 % of windows" `tolerating` does not apply to an alarm; remove `tolerating`, or tolerate a smaller share of the windows of a level
    alarm X stays quiet, stop at 1
        "stop at 1" an alarm has no value to stop at; to stop when it fires, write `alarm NAME fires` under `stop_when`
    failed share of ShopApi at least 1.5 x baseline
        "1.5 x baseline" only an upper bound can be relative to the baseline; write `at most 1.5 x baseline`
    failed share of ShopApi at most many x baseline
        "many x baseline" `many` does not say how many times; write for example `1.5 x baseline`
    depth of orders spends at most 2 % of the budget of 99.9 % over 30d
        "2 % of the budget of 99.9 % over 30d" only a share of requests has an error budget; write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`
    failed share of ShopApi spends at most 2 of the budget of 99.9 % over 30d
        "2" `2` is not a share above 0 %; write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`
    failed share of ShopApi spends at most 2 % of 99.9 %
        "of" expected `of the budget of`, found `of`; write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`
    failed share of ShopApi spends at most 2 % of the budget of 100 % over 30d
        "2 % of the budget of 100 % " an objective of 100 % has no budget to spend; write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`
    failed share of ShopApi spends at most 2 % of the budget of 99.9 % over some time
        "some time" `some time` is not a valid duration; write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`
    "#);
}

/// The page that people read says what the parser reads.
#[test]
fn the_documented_grammar_is_the_one_that_is_read() {
    let page = include_str!("../../../docs/sentences.md");
    let blocks = page.split("```sentences\n").skip(1).map(|block| block.split("```").next().unwrap());
    let examples: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(examples.len() > 15);
    for example in &examples {
        assert!(sentence(example).is_ok(), "{}", shown(example));
    }
    for (words, _) in vocabulary::METRICS {
        assert!(page.contains(&format!("`{words} ")), "docs/sentences.md lacks {words}");
        assert!(
            examples.iter().any(|example| example.starts_with(words)),
            "docs/sentences.md has no example of {words}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = sentence(&text);
    }

    #[test]
    fn no_shuffle_of_its_own_words_makes_it_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("depth"), Just("of"), Just("share"), Just("slower"), Just("than"), Just("5m"), Just("at"), Just("most"),
            Just("stays"), Just("0"), Just("1 %"), Just(">"), Just("alarm"), Just("fires"), Just("within"), Just("é"),
            Just("'"), Just("queue"), Just("x"), Just("is"), Just("age"), Just("the"), Just("oldest"), Just("message"),
            Just("tolerating"), Just("windows,"), Just(","), Just(",,"), Just("stop"), Just("x baseline"), Just("x,"), Just("that"), Just("spends"), Just("budget"), Just("over"),
        ], 0..10)) {
        let text = words.join(" ");
        match sentence(&text) {
            Ok(read) => prop_assert_eq!(sentence(&read.text).map(|again| again.bound), Ok(read.bound)),
            Err(error) => prop_assert!(text.get(error.at).is_some(), "{text}"),
        }
    }
}
