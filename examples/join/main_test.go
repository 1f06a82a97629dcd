package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/examples/program/programtest"
)

func TestJoin(t *testing.T) {
	const orders, customers = "orders/a.csv", "customers/a.csv"
	version := func(moved int, more string) map[string]string {
		return map[string]string{
			orders:    "order_id,customer_id,amount\n1,1,10\n2,1,20\n3,2,5\n4,9,1\n" + more,
			customers: fmt.Sprintf("customer_id,region\n1,7\n2,%d\n", moved),
		}
	}
	programtest.Check(t, join, nil, []map[string]string{version(8, ""), version(7, ""), version(7, "5,2,100\n")},
		func(files map[string]string) map[string]bool {
			region := map[int]int{}
			for _, line := range strings.Split(files[customers], "\n") {
				var id, r int
				if n, _ := fmt.Sscanf(line, "%d,%d", &id, &r); n == 2 {
					region[id] = r
				}
			}
			count, sum := map[int]int{}, map[int]int{}
			for _, line := range strings.Split(files[orders], "\n") {
				var id, customer, amount int
				if n, _ := fmt.Sscanf(line, "%d,%d,%d", &id, &customer, &amount); n == 3 && region[customer] > 0 {
					count[region[customer]]++
					sum[region[customer]] += amount
				}
			}
			want := map[string]bool{}
			for r := range count {
				want[programtest.Row(map[string]any{"region": r, "orders": count[r], "amount": sum[r]})] = true
			}
			return want
		})
}
