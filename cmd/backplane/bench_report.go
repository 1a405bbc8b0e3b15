package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/measure"
)

// benchReport is what came of the benchmark.
type benchReport struct {
	runs       int
	processors int
	sides      []*measure.Emulator // ours first
	rows       []benchRow
}

// benchRow is one figure, of each side.
type benchRow struct {
	measure.Row
	measurement string
	stats       []measure.Stat // by side
}

// ratio says how many times better our median is than the other side's; false
// without another side.
func (b *benchRow) ratio() (float64, bool) {
	if len(b.stats) < 2 || b.stats[0].Median == 0 || b.stats[1].Median == 0 {
		return 0, false
	}
	if b.Unit == measure.PerSecond {
		return b.stats[0].Median / b.stats[1].Median, true
	}
	return b.stats[1].Median / b.stats[0].Median, true
}

// The JSON document: one object. Members are added over time, never renamed.
type benchDocument struct {
	Runs       int           `json:"runs"`
	Processors int           `json:"processors"`
	Sides      []string      `json:"sides"`
	Rows       []benchRecord `json:"rows"`
}

type benchRecord struct {
	Measurement string            `json:"measurement"`
	Name        string            `json:"name"`
	Unit        string            `json:"unit"`
	Sides       []benchSideRecord `json:"sides"`
	Ratio       *float64          `json:"ratio,omitempty"` // how many times better our median is
}

type benchSideRecord struct {
	Samples int     `json:"samples"`
	Median  float64 `json:"median"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

func (r *benchReport) writeJSON(w io.Writer) error {
	doc := benchDocument{Runs: r.runs, Processors: r.processors, Rows: []benchRecord{}}
	for _, s := range r.sides {
		doc.Sides = append(doc.Sides, s.Name)
	}
	for _, row := range r.rows {
		record := benchRecord{Measurement: row.measurement, Name: row.Name, Unit: string(row.Unit)}
		for _, s := range row.stats {
			record.Sides = append(record.Sides, benchSideRecord{s.N, s.Median, s.Min, s.Max})
		}
		if ratio, ok := row.ratio(); ok {
			record.Ratio = &ratio
		}
		doc.Rows = append(doc.Rows, record)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// benchText prints the table, row by row.
type benchText struct {
	w        io.Writer
	paint    paint
	progress *progress
	silent   bool
	err      error // the first of writing
}

const (
	benchNameWidth = 38
	benchSideWidth = 18
)

func (t *benchText) print(format string, a ...any) {
	t.progress.clear()
	if t.silent {
		return
	}
	if _, err := fmt.Fprintf(t.w, format, a...); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *benchText) begin(r *benchReport) {
	t.print("Medians of %s each, machines with 2 harts on a host with %s\n\n",
		plural(r.runs, "run"), plural(r.processors, "processor"))
	head := fmt.Sprintf("%-*s", benchNameWidth, "")
	for _, s := range r.sides {
		head += fmt.Sprintf("%*s", benchSideWidth, s.Name)
	}
	if len(r.sides) > 1 {
		head += fmt.Sprintf("%9s", "ratio")
	}
	t.print("%s\n", t.paint.in(bold, head))
}

func (t *benchText) rows(rows []benchRow) {
	for _, row := range rows {
		var b strings.Builder
		fmt.Fprintf(&b, "%-*s", benchNameWidth, row.Name)
		for _, s := range row.stats {
			fmt.Fprintf(&b, "%*s", benchSideWidth, amount(s.Median, row.Unit))
		}
		if ratio, ok := row.ratio(); ok && row.Unit != measure.Ratio {
			style := green
			if ratio < 1 {
				style = red
			}
			b.WriteString(t.paint.in(style, fmt.Sprintf("%8sx", significant(ratio))))
		}
		t.print("%s\n", &b)
	}
}

// amount writes a sample in a fitting unit.
func amount(v float64, unit measure.Unit) string {
	switch unit {
	case measure.Bytes:
		return significant(v/(1<<20)) + " MiB"
	case measure.Ratio:
		return significant(v)
	case measure.PerSecond:
		return significant(v) + " /s"
	}
	switch {
	case v >= 1e9:
		return significant(v/1e9) + " s "
	case v >= 1e6:
		return significant(v/1e6) + " ms"
	case v >= 1e3:
		return significant(v/1e3) + " us"
	}
	return significant(v) + " ns"
}

// significant writes three digits, or all before the point.
func significant(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
