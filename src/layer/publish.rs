//! How the layer is published: the `aws` commands and the CloudFormation that do it.

use super::Architecture;

/// The `aws` command that publishes a zip, whose path is quoted for a shell.
pub fn command(architecture: Architecture, zip: &str) -> String {
    let (name, word) = (architecture.layer(), architecture.word());
    format!(
        "aws lambda publish-layer-version --layer-name {name} --description {DESCRIPTION} \\\n  \
         --license-info {LICENCE} --compatible-architectures {word} --zip-file fileb://{zip}"
    )
}

/// What Lambda shows beside the layer.
pub const DESCRIPTION: &str = "squall-fault-layer";
/// Its licence, as SPDX writes it.
pub const LICENCE: &str = "Apache-2.0";

/// A template of CloudFormation that publishes the zips from a bucket, to be packaged with `aws cloudformation package`.
pub fn cloudformation(zips: &[(Architecture, String)]) -> String {
    let mut text = "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n".to_owned();
    let mut outputs = "Outputs:\n".to_owned();
    for (architecture, zip) in zips {
        let id = match architecture {
            Architecture::X86 => "SquallLayerX86",
            Architecture::Arm => "SquallLayerArm",
        };
        let (name, word) = (architecture.layer(), architecture.word());
        let zip = serde_json::Value::from(zip.as_str());
        text += &format!(
            "  {id}:\n    Type: AWS::Lambda::LayerVersion\n    Properties:\n      LayerName: {name}\n      \
             Description: {DESCRIPTION}\n      LicenseInfo: {LICENCE}\n      CompatibleArchitectures: [{word}]\n      \
             # `aws cloudformation package` uploads it and writes the bucket here.\n      Content: {zip}\n"
        );
        outputs += &format!("  {id}Arn:\n    Value: !Ref {id}\n");
    }
    text + &outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_publishes_names_the_architecture() {
        assert_eq!(
            command(Architecture::Arm, "'out dir/squall-layer-arm64.zip'"),
            "aws lambda publish-layer-version --layer-name squall-layer-arm64 --description squall-fault-layer \\\n  \
             --license-info Apache-2.0 --compatible-architectures arm64 --zip-file fileb://'out dir/squall-layer-arm64.zip'"
        );
        let zips = Architecture::ALL.map(|architecture| (architecture, architecture.zip()));
        let template: serde_json::Value = serde_yaml::from_str(&cloudformation(&zips).replace("!Ref ", "")).unwrap();
        assert_eq!(template["Resources"]["SquallLayerArm"]["Properties"]["CompatibleArchitectures"][0], "arm64");
        assert_eq!(template["Resources"]["SquallLayerX86"]["Properties"]["Content"], "squall-layer-x86_64.zip");
        assert_eq!(template["Outputs"]["SquallLayerX86Arn"]["Value"], "SquallLayerX86");
    }
}
