//! Role cards and a hand-over sheet, as Markdown. Nothing hidden is on them.

use super::role::Role;
use super::runbook::Runbook;

/// What a role does, what it may do, and what it does not do.
fn duties(role: Role) -> &'static [&'static str] {
    match role {
        Role::Facilitator => &[
            "You lead the day. You know everything, and you tell nothing that is not released.",
            "You begin each scenario, release items and hints, and confirm what the team did.",
            "You do not help, and you are never a responder as well.",
            "Silence is work: wait twice as long as you would like to before you give a hint.",
            "At the least sign of real harm you abort. The record stays.",
        ],
        Role::Responder => &[
            "You work as on a normal day. You know that something may happen, and not what.",
            "Say aloud what you see and what you think. A wrong guess is worth something.",
            "Say \"I noticed\", \"I take command\", \"the cause is ...\", \"I am mitigating\", \"users are served again\".",
            "When you hand over, say to whom, and wait until that person says \"I take command\".",
            "Do not look for the fault in what squall leaves in the account: its names begin with `squall`.",
        ],
        Role::Observer => &[
            "You see everything that the facilitator sees, and you help nobody.",
            "Write down what you see people do, and not what you think of it.",
            "You may abort like everybody else.",
        ],
        Role::Scribe => &[
            "You write down who did what. squall sets the time; be quick rather than complete.",
            "Quote people where you can. Correct a note instead of writing it again.",
            "You write down the actions at the end, each with one owner and a date.",
        ],
        Role::SafetyMonitor => &[
            "You watch customers and limits, and nothing else. You do not follow the story.",
            "You abort when an abort condition is met, or when you are not sure. Ask nobody.",
            "You may also pause the day, or have the fault rolled back and let the day go on.",
        ],
    }
}

/// What a role types, where it has a terminal.
fn commands(role: Role) -> &'static [&'static str] {
    match role {
        Role::Facilitator => &["squall gameday status", "squall gameday tell hint", "squall gameday release ITEM"],
        Role::Responder => &[
            "squall gameday tell --as NAME say noticed",
            "squall gameday tell --as NAME say cause TEXT",
            "squall gameday status --role responder",
        ],
        Role::Observer => &["squall gameday status --role observer"],
        Role::Scribe => &["squall gameday note --as NAME TEXT", "squall gameday note --as NAME --correct N TEXT"],
        Role::SafetyMonitor => {
            &["squall gameday status --role safety_monitor", "squall gameday tell --as NAME pause hold"]
        }
    }
}

/// The cards of a runbook: of one role, or of all with the hand-over sheet.
pub fn cards(runbook: &Runbook, role: Option<Role>) -> String {
    let front = &runbook.front;
    let mut text = format!("# {}\n", front.title);
    for role in Role::ALL.into_iter().filter(|it| role.is_none_or(|role| role == *it)) {
        text += &format!("\n## Role card: {role}\n\n");
        for duty in duties(role) {
            text += &format!("- {duty}\n");
        }
        if role == Role::SafetyMonitor && !front.abort.is_empty() {
            text += "\nAbort when:\n\n";
            front.abort.iter().for_each(|abort| text += &format!("- {abort}\n"));
        }
        text +=
            "\nStop everything, at any time and for any reason:\n\n    squall gameday abort --as NAME --reason TEXT\n";
        text += "\nAlso yours:\n\n";
        commands(role).iter().for_each(|command| text += &format!("    {command}\n"));
    }
    if role.is_none() {
        text += SHEET;
    }
    text
}

/// One page, to be filled in by who hands over and read back by who takes over.
const SHEET: &str = "
## Hand-over sheet

Who hands over: ____________________   Who takes over: ____________________   Time: __________

| | |
| --- | --- |
| What users see now | |
| Since when, and how we know | |
| What we know of the cause, and how sure we are | |
| What was tried, and what it did | |
| What is changed now and has to be changed back | |
| What happens next, and when | |
| Who works on what | |
| Who waits for news from us, and until when | |
| What worries you | |

Whoever takes over reads this back aloud, asks, and says: \"I take command.\"
Until then the command is with the person who hands over.
";
