"""What an environment costs a month, by its own resources and a dated table of list prices."""
