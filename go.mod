module github.com/backplane-vm/backplane

go 1.26
