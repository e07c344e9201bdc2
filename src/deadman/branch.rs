//! A branch: how the state machine reads and writes one setting. The descriptors in `account/kind/` have one for each setting
//! that does not end by itself.
//!
//! Expressions are JSONata (<https://docs.jsonata.org>), as Step Functions takes them between `{%` and `%}`. A value of a setting
//! is `{"value": ...}`, or `{}` where the setting is not there. An expression of a branch may use `$name`, the resource's name;
//! `$change`, the change as the input has it; what an earlier call of the same branch assigned; and, after a call,
//! `$states.result`.

/// A call of an AWS API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// As Step Functions names it: `lambda:getFunctionConcurrency`.
    pub api: &'static str,
    /// The parameters of the call as JSON, in which texts between `{%` and `%}` are expressions.
    pub arguments: &'static str,
}

impl ApiCall {
    /// The IAM action that it takes: `lambda:GetFunctionConcurrency`.
    pub fn action(&self) -> String {
        let (service, operation) = self.api.split_once(':').unwrap_or(("", self.api));
        let mut letters = operation.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter();
        format!("{service}:{}", first.chain(letters).collect::<String>())
    }
}

/// A call of a read, and what is kept of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub call: ApiCall,
    /// Variables and the expressions that they are assigned. The last look assigns `found`, the value of the setting.
    pub assigns: &'static [(&'static str, &'static str)],
}

/// What the values of a setting look like in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A whole number of at least zero, or nothing.
    Count,
    /// Any JSON, or nothing.
    Json,
    /// A JSON object of texts, or nothing.
    Texts,
}

/// How one setting is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The setting's name in the input, `reserved_concurrency`.
    pub setting: &'static str,
    /// The kind of the resource that it is on, `function`.
    pub kind: &'static str,
    pub shape: Shape,
    /// Whether a change names a key in the resource's document.
    pub has_key: bool,
    /// Whether a change carries the document from before.
    pub has_document: bool,
    pub reads: &'static [Look],
    /// Writes `$change.before`, where that is a value.
    pub write: ApiCall,
    /// Takes the setting away, where there was none before and the service has a call of its own for that.
    pub delete: Option<ApiCall>,
    /// What Step Functions calls the error that there is no such resource.
    pub gone: &'static str,
    /// Whether reading it puts the resource's environment variables into the history of the execution.
    pub reads_variables: bool,
}

impl Branch {
    /// The IAM actions that it takes on the resource.
    pub fn actions(&self) -> Vec<String> {
        let reads = self.reads.iter().map(|look| look.call);
        let mut actions: Vec<String> = reads.chain([self.write]).chain(self.delete).map(|call| call.action()).collect();
        actions.sort();
        actions.dedup();
        actions
    }
}
