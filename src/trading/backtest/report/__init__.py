"""Results for people: the HTML tear sheet, the JSON report, the CSV tables, the sweep's page."""
