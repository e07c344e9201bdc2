//! What to add to a function in each tool of infrastructure.

/// A tool of infrastructure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tool {
    /// AWS SAM, and with small changes CloudFormation.
    Sam,
    /// Serverless Framework.
    Serverless,
    /// AWS CDK, in TypeScript.
    Cdk,
    /// Terraform.
    Terraform,
}

impl Tool {
    /// All of them.
    pub const ALL: [Tool; 4] = [Tool::Sam, Tool::Serverless, Tool::Cdk, Tool::Terraform];

    /// The lines that give a function called Orders the layer, its parameter and its right.
    pub fn snippet(self) -> &'static str {
        match self {
            Tool::Sam => include_str!("snippets/sam.yaml"),
            Tool::Serverless => include_str!("snippets/serverless.yaml"),
            Tool::Cdk => include_str!("snippets/cdk.ts"),
            Tool::Terraform => include_str!("snippets/terraform.tf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{EMPTY, WRAPPER};

    #[test]
    fn each_has_the_layer_the_wrapper_the_parameter_and_the_right_and_is_in_the_documentation() {
        let documentation = include_str!("../../docs/layer.md");
        for tool in Tool::ALL {
            let snippet = tool.snippet();
            let what = ["layer", WRAPPER, "SQUALL_FAULTS_PARAM", "AWS_LAMBDA_EXEC_WRAPPER"];
            let lower = snippet.to_lowercase();
            for word in what {
                assert!(lower.contains(&word.to_lowercase()), "{tool:?} has no {word}");
            }
            assert!(snippet.contains(EMPTY) || snippet.contains("version = 1"), "{tool:?}");
            // The CDK's method grants more than is needed, so it is not used.
            assert!(snippet.contains("ssm:GetParameter") && !snippet.contains("grantRead"), "{tool:?}");
            let indented: String = snippet
                .lines()
                .map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") })
                .collect();
            assert!(
                documentation.contains(&indented),
                "docs/layer.md has another snippet for {tool:?} than this:\n{indented}"
            );
        }
    }
}
