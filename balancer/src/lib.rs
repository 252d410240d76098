//! trunkline-balancer
