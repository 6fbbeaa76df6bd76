"""What one does with a finished run or track: score, compare, measure, plot, report, export."""
