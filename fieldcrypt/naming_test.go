package fieldcrypt

import "testing"

// Frozen: values are bound to these names. They are GORM's; internal/dbtest
// compares more of them with GORM itself.
func TestDefaultNames(t *testing.T) {
	for in, want := range map[string]string{
		"ID": "id", "Name": "name", "MRN": "mrn", "UserID": "user_id", "HTTPServerURL": "http_server_url", "APIKey": "api_key",
		"FirstName": "first_name", "X": "x", "AB": "ab", "ABc": "a_bc", "CreatedAt": "created_at", "Field1": "field1", "UTF8Name": "utf8_name",
		"MyUUID": "my_uuid", "SHA256Hash": "sha256_hash", "a": "a", "CardLast4": "card_last4", "Snake_Case": "snake_case", "ICD10Code": "icd10_code",
	} {
		if got := columnName(in); got != want {
			t.Errorf("column of %s: %s; want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"Patient": "patients", "Person": "people", "Child": "children", "Diagnosis": "diagnoses", "Box": "boxes", "Ox": "oxen", "Category": "categories",
		"Key": "keys", "News": "news", "Series": "series", "Equipment": "equipment", "Status": "statuses", "Address": "addresses", "Mouse": "mice",
		"Quiz": "quizzes", "Wife": "wives", "Shelf": "shelves", "Datum": "data", "Tomato": "tomatoes", "Bus": "buses", "Virus": "viri", "Index": "indices",
		"Human": "humen", "CreditCard": "credit_cards", "PatientV2": "patient_v2", "Hive": "hives", "Axis": "axes", "Dish": "dishes", "Day": "days",
	} {
		if got := tableName(in); got != want {
			t.Errorf("table of %s: %s; want %s", in, got, want)
		}
	}
}
