"""What registered models run when they are served: each file goes into the model as it is and needs nothing of ours."""
