//! Nothing but the tests beside it. They have a package of their own, as they are built with all that their package needs.
