"""What a model file says about itself, as plain data: its inputs and outputs, preprocessing, class names, decoding."""
