//! Commands as people type them: `release ticket`, `pause hold`, `abort customers see errors`.

use super::command::Command;
use super::event::{Action, Faults, Finding, Outcome};
use super::role::{ItemName, Person, Statement};
use crate::units::Span;
use crate::yaml::read::closest;

/// Every command, as it is typed, and what it does.
pub const COMMANDS: [(&str, &str); 23] = [
    ("next", "the next phase; among the scenarios, the next one, or the end of the one at work"),
    ("go [REASON]", "both ways are clear: begin"),
    ("no-go REASON", "the day does not take place"),
    ("check TEXT ok|failed", "a readiness check that you made"),
    ("release ITEM", "release an item now, also in a pause"),
    ("hint", "release the next hint"),
    ("skip NAME", "never release an item, or take an expectation off"),
    ("confirm NAME [failed]", "an expectation was met, or was not"),
    ("done ITEM [failed]", "an item is done"),
    ("pause [hold]", "stop the day's clock; with `hold`, roll back the fault that is in place"),
    ("resume", "let the clock go on"),
    ("shift TIME", "move everything that is still to come: shift 5m"),
    ("stop", "roll back the fault that is in place; the scenario goes on"),
    ("skip-scenario", "skip the next scenario"),
    ("test N ITEM", "look at an item of scenario N as it will be seen, before the first scenario"),
    ("end REASON", "end the scenarios early, and go on to the debrief"),
    ("abort REASON", "roll everything back at once; the record stays"),
    ("note TEXT", "write something down"),
    ("correct N TEXT", "say what note N should have said"),
    ("answer N TEXT", "an answer to question N of the debrief"),
    ("action OWNER [due=DATE] [ticket=LINK] [scenario=N] [retest=DATE] TEXT", "what is done about it, and by whom"),
    (
        "say WORD [TEXT]",
        "what a responder says: noticed, acknowledged, command, cause, mitigating, recovered, hand_over, status",
    ),
    ("@NAME: COMMAND", "the same for another person: @Ria: say noticed"),
];

/// Who asks, where a line says so, and for what. `questions` are those of the debrief.
///
/// # Errors
/// What is wrong, and what to type instead.
pub fn parse(line: &str, questions: &[String]) -> Result<(Option<Person>, Command), String> {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('@') else { return command(line, questions).map(|command| (None, command)) };
    let (name, rest) = rest.split_once(':').ok_or("write `@NAME: COMMAND`")?;
    Ok((Some(name.parse::<Person>()?), command(rest.trim(), questions)?))
}

fn command(line: &str, questions: &[String]) -> Result<Command, String> {
    let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
    let text = |what: &str| match rest {
        "" => Err(format!("write {what} after `{word}`")),
        rest => Ok(rest.to_owned()),
    };
    let item = |what: &str| text(what)?.parse::<ItemName>();
    Ok(match word {
        "next" => Command::Next,
        "go" => Command::Go { go: true, why: rest.into() },
        "no-go" => Command::Go { go: false, why: text("a reason")? },
        "check" => check(rest)?,
        "release" => Command::Release { item: item("the name of an item")? },
        "hint" => Command::Hint,
        "skip" => Command::Skip { item: item("a name")? },
        "confirm" | "done" => settled(word, rest)?,
        "pause" if rest.is_empty() => Command::Pause { faults: Faults::GoOn },
        "pause" if rest == "hold" => Command::Pause { faults: Faults::HoldBack },
        "pause" => return Err("write `pause`, or `pause hold` to roll back the fault that is in place".into()),
        "resume" => Command::Resume,
        "shift" => Command::Shift { by: text("a length of time")?.parse::<Span>().map_err(|error| error.0)? },
        "stop" => Command::StopFault,
        "skip-scenario" => Command::SkipScenario,
        "test" => {
            let (number, name) = numbered(rest, "write `test N ITEM`")?;
            Command::Test { scenario: number.saturating_sub(1), item: name.parse::<ItemName>()? }
        }
        "end" => Command::EndEarly { why: text("a reason")? },
        "abort" => Command::Abort { why: text("a reason")? },
        "note" => Command::Note { text: text("a text")? },
        "correct" => {
            let (note, text) = numbered(rest, "write `correct N TEXT`")?;
            Command::Correct { note: note as u64, text }
        }
        "answer" => {
            let (number, answer) = numbered(rest, "write `answer N TEXT`")?;
            let question = number.checked_sub(1).and_then(|index| questions.get(index));
            let question = question.ok_or_else(|| format!("there are {} questions", questions.len()))?.clone();
            Command::Answer { question, answer }
        }
        "action" => Command::Agree { action: action(rest)? },
        "say" => {
            let (statement, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            Command::Say { statement: statement.parse::<Statement>()?, text: text.trim().into() }
        }
        other => {
            let words = || COMMANDS.iter().filter_map(|(form, _)| form.split([' ', '[']).next());
            return Err(match closest(other, words()) {
                Some(close) => format!("there is no command `{other}`; did you mean `{close}`?"),
                None => format!("there is no command `{other}`; type `help`"),
            });
        }
    })
}

fn numbered(rest: &str, help: &str) -> Result<(usize, String), String> {
    let (number, text) = rest.split_once(char::is_whitespace).ok_or(help)?;
    let number = number.parse::<usize>().map_err(|_| help.to_owned())?;
    if text.trim().is_empty() { Err(help.to_owned()) } else { Ok((number, text.trim().to_owned())) }
}

fn check(rest: &str) -> Result<Command, String> {
    let (check, word) = rest.rsplit_once(char::is_whitespace).ok_or("write `check TEXT ok`, or `check TEXT failed`")?;
    let finding = match word {
        "ok" => Finding::Passed,
        "failed" => Finding::Failed,
        _ => return Err("write `ok` or `failed` at the end".into()),
    };
    Ok(Command::Check { check: check.trim().into(), finding, detail: "checked by hand".into() })
}

fn settled(word: &str, rest: &str) -> Result<Command, String> {
    let (name, how) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let outcome = match (word, how.trim()) {
        (_, "failed") => Outcome::Failed,
        ("confirm", "") => Outcome::Succeeded,
        (_, "") => Outcome::Completed,
        (_, _) => return Err(format!("write `{word} NAME`, or `{word} NAME failed`")),
    };
    Ok(Command::Settle { item: name.parse::<ItemName>()?, outcome })
}

fn action(rest: &str) -> Result<Action, String> {
    let help = "write `action OWNER [due=DATE] [ticket=LINK] [scenario=N] [retest=DATE] TEXT`";
    let (owner, mut rest) = rest.split_once(char::is_whitespace).ok_or(help)?;
    let mut action =
        Action { text: String::new(), owner: owner.into(), due: None, ticket: None, retest: None, scenario: None };
    loop {
        rest = rest.trim_start();
        let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match first.split_once('=') {
            Some(("due", date)) => action.due = Some(day(date)?),
            Some(("retest", date)) => action.retest = Some(day(date)?),
            Some(("scenario", number)) => {
                let number = number.parse::<usize>().map_err(|_| help.to_owned())?;
                action.scenario = number.checked_sub(1);
            }
            Some(("ticket", link)) if link.starts_with("https://") => action.ticket = Some(link.into()),
            Some(("ticket", link)) => return Err(format!("`{link}` is not an https link")),
            _ => break,
        }
        rest = after;
    }
    action.text = rest.trim().into();
    if action.text.is_empty() { Err(help.into()) } else { Ok(action) }
}

/// A date of the calendar.
fn day(text: &str) -> Result<String, String> {
    let date = text.parse::<jiff::civil::Date>();
    date.map(|date| date.to_string()).map_err(|_| format!("`{text}` is not a date such as 2026-12-24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood_and_what_is_wrong_is_said() {
        let questions = ["What surprised you?".to_owned()];
        for (line, words) in [
            ("next", "go on"),
            ("no-go a real incident", "no go"),
            ("check the pager works ok", "check the pager works"),
            ("release ticket", "release ticket"),
            ("confirm cause failed", "cause failed"),
            ("pause hold", "pause"),
            ("shift 5m", "shift the rest by 5m"),
            ("test 2 ticket", "test ticket"),
            ("answer 1 everything", "answer"),
            ("say cause no concurrency", "say cause"),
            ("@On call: say noticed", "say noticed"),
            ("action Ria due=2026-12-24 retest=2027-01-15 ticket=https://x/1 add an alarm", "agree on an action"),
        ] {
            let (_, command) = parse(line, &questions).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(command.words(), words);
        }
        let (who, _) = parse("@On call: say noticed", &questions).unwrap();
        assert_eq!(who, Some(Person("On call".into())));
        for (line, what) in [
            ("relaese ticket", "did you mean `release`?"),
            ("release", "the name of an item"),
            ("shift soon", "not a length of time"),
            ("answer 2 yes", "there are 1 questions"),
            ("action Ria due=tomorrow x", "not a date"),
            ("say hello", "is none of"),
            ("abort", "a reason"),
        ] {
            let error = parse(line, &questions).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
