//! Lambda: functions, their concurrency and their instances.

use super::model::Model;

/// A function as it is now.
#[derive(Clone, Debug)]
pub(super) struct FunctionState {
    /// Reserved concurrency as it was written.
    pub reserved: Option<u32>,
    /// Reserved concurrency as it works.
    pub limit: Option<u32>,
}

/// Every function, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Lambda {
    pub functions: Vec<FunctionState>,
}

impl Lambda {
    pub fn new(model: &Model) -> Lambda {
        let state = |spec: &super::app::Function| FunctionState { reserved: spec.reserved, limit: spec.reserved };
        Lambda { functions: model.functions.iter().map(|(_, spec)| state(spec)).collect() }
    }

    /// What all the functions but this one reserve.
    pub fn reserved_by_others(&self, index: usize) -> u32 {
        let others = self.functions.iter().enumerate().filter(|(i, _)| *i != index);
        others.filter_map(|(_, function)| function.reserved).sum()
    }

    /// What all the functions reserve.
    pub fn reserved(&self) -> u32 {
        self.functions.iter().filter_map(|function| function.reserved).sum()
    }
}
