//! The spellings of an import, each in a module of its own.

/// The attribute and the function by name, the blocks by a glob.
pub mod side_by_side {
    use lock::lock;
    use lock::lock_model;
    use lock::prelude::*;

    /// A model by the derive, which shares its name with the trait.
    #[derive(Debug, Model)]
    pub struct Order {
        id: u64,
    }

    impl Order {
        /// The attribute.
        #[lock_model]
        pub fn settle(&self) {}
    }

    /// The attribute.
    #[lock]
    pub fn attribute() {}

    /// The function.
    ///
    /// # Errors
    /// Whatever the locker reports.
    pub fn function() -> Result<(), lock::Error> {
        lock("imports").acquire()?.release()
    }

    /// The block.
    ///
    /// # Errors
    /// Whatever the locker reports.
    pub fn block() -> Result<u8, lock::Error> {
        lock!("imports", { 1 })
    }

    /// The function and the block of a model.
    ///
    /// # Errors
    /// Whatever the locker reports.
    pub fn model() -> Result<u8, lock::Error> {
        let order = Order { id: 7 };
        lock_model(&order).acquire()?.release()?;
        lock_model!(order, { 1 })
    }
}

/// Without the prelude.
pub mod only_by_name {
    use lock::lock;

    /// The attribute.
    ///
    /// # Errors
    /// Whatever the locker reports.
    #[lock("imports")]
    pub fn attribute() -> Result<(), lock::Error> {
        lock("another").acquire()?.release()
    }
}

/// Without the attribute.
pub mod only_the_prelude {
    use lock::prelude::*;

    /// The block, and the attribute by its path.
    ///
    /// # Errors
    /// Whatever the locker reports.
    #[lock::lock("imports")]
    pub fn block() -> Result<u8, lock::Error> {
        lock!("another", { 1 })
    }
}

/// Without an import.
pub mod by_path {
    /// The attribute.
    #[lock::lock("imports")]
    pub fn attribute() {}

    /// The function and the block.
    ///
    /// # Errors
    /// Whatever the locker reports.
    pub fn others() -> Result<u8, lock::Error> {
        lock::lock("imports").acquire()?.release()?;
        lock::prelude::lock!("imports", { 1 })
    }

    /// A model.
    #[derive(Debug, lock::Model)]
    pub struct Order {
        id: u64,
    }

    impl Order {
        /// The attribute.
        #[lock::lock_model]
        pub fn settle(&self) {}
    }
}

/// A facade under another path.
pub mod renamed {
    /// Where somebody else re-exports it.
    pub mod inner {
        pub use lock;
    }

    /// The attribute by its other path.
    #[inner::lock::lock("imports", crate = inner::lock)]
    pub fn attribute() {}

    /// A model by its other path.
    #[derive(Debug, inner::lock::Model)]
    #[model(crate = inner::lock)]
    pub struct Order {
        id: u64,
    }
}
