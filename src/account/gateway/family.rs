//! The APIs of AWS by the limits that they share, and how fast squall calls each.

/// APIs that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Lambda's control plane: 15 calls a second for all its operations together, not to be raised
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
    Lambda,
    /// GetFunction has its own: 100 a second (the same page).
    GetFunction,
    Invoke,
    Iam,
    /// GetParameter and its kin share 40 a second (AWS General Reference, Systems Manager quotas).
    SsmRead,
    /// PutParameter: 3 a second as AWS Support says, with some allowance for bursts; no page has it
    /// (github.com/github-aws-runners/terraform-aws-github-runner/issues/2944).
    SsmWrite,
    Sqs,
    /// GetMetricData: 50 a second in older accounts
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>).
    Metrics,
    /// DescribeAlarms: 9 a second (the same page).
    Alarms,
    Tagging,
    /// DescribeTable: 2,500 a second in all; GetTopicAttributes: 30 a second (SNS quotas). They are called once a resource.
    Watched,
    CloudFormation,
    Sts,
    /// StartQuery and GetQueryResults: 5 a second (CloudWatch Logs service quotas).
    Logs,
    Fis,
    /// GenerateMac and VerifyMac: thousands a second (KMS request quotas). A plan makes one a lock.
    Kms,
    /// StartExecution: 300 a second in most regions, StopExecution 25, DescribeExecution 15 (Step Functions quotas). A run makes few.
    StepFunctions,
}

impl Family {
    /// Calls a second, and how many may go out at once after a pause. Where AWS publishes no number, a modest one.
    pub const fn pace(self) -> (f64, u32) {
        match self {
            Family::Lambda => (15.0, 2),
            Family::GetFunction => (100.0, 10),
            Family::Invoke => (1_000.0, 100),
            Family::Iam => (10.0, 10),
            Family::SsmRead => (40.0, 10),
            Family::SsmWrite => (3.0, 10),
            Family::Sqs => (300.0, 30),
            Family::Metrics | Family::Kms => (50.0, 10),
            Family::Alarms => (9.0, 3),
            Family::Tagging | Family::Watched | Family::CloudFormation | Family::Logs | Family::StepFunctions => {
                (5.0, 5)
            }
            Family::Sts | Family::Fis => (5.0, 2),
        }
    }

    /// Whether its limit is the whole account's, and not each region's.
    pub const fn is_global(self) -> bool {
        matches!(self, Family::Iam)
    }
}

#[cfg(test)]
impl Family {
    /// How many calls a second its limit allows.
    pub fn per_second(self) -> f64 {
        self.pace().0
    }
}
