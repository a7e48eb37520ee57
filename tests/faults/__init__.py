"""What breaks around a service that is asked all the while: eight callers, and in every case the same promises."""
