package main

// Names in the scripts of South, Southeast and East Asia.
var asian = []locale{
	{names("प्रिया अर्जुन श्रद्धा कृष्ण"), names("शर्मा त्रिपाठी क़ुरैशी मुखर्जी"), givenFirst, "0### #### ####", hindi},
	{names("রুমা সৌম্য অনির্বাণ"), names("চট্টোপাধ্যায় রহমান ঘোষ"), givenFirst, "0### #### ####", hindi},
	{names("முத்து கயல்விழி ஸ்ரீதர்"), names("கிருஷ்ணன் சுப்பிரமணியம்"), givenFirst, "0### #### ####", hindi},
	{names("สมชาย น้ำฝน กิตติ์ธเนศ"), names("ศรีสุวรรณ จันทร์เพ็ญ ใจดี"), givenFirst, "9-####-#####-##-#", thai},
	{names("សុភា ចាន់ថា វិសាល"), names("កែវ ឈឹម សុខ"), familyFirst, "TEST-KH-#######", thai},
	{names("伟 秀英 子涵 浩然 雪"), names("王 李 欧阳 诸葛 赵"), joined, "99####00000000###X", chinese},
	{names("志明 淑芬 宥蓁 品睿"), names("陳 黃 張簡 歐陽 龔"), joined, "TEST-TW-#######", chinese},
	// 𠮷 lies outside the basic plane: four bytes of UTF-8.
	{names("さくら 翔太 美咲 健"), names("佐藤 𠮷田 渡邉 髙橋"), familyFirst, "テスト-########", japanese},
	{names("サクラ ショウタ ガブリエル"), names("サトウ ヨシダ ワタナベ"), familyFirst, "テスト-########", japanese},
	{names("민준 서연 지우 하윤"), names("김 이 박 최 남궁"), joined, "##00##-#######", korean},
}

var (
	hindi    = []string{"पेनिसिलिन से एलर्जी है।", "রক্তচাপ স্বাভাবিক", "மூன்று வாரங்களில் மறுபரிசோதனை"}
	thai     = []string{"แพ้ยาเพนิซิลลิน", "นัดครั้งต่อไป ๑๒ พฤษภาคม"}
	chinese  = []string{"对青霉素过敏。", "血壓正常,三個月後複診"}
	japanese = []string{"ペニシリンアレルギーあり。", "次回は「五月十二日」の予定", "ﾊﾝｶｸの記録"}
	korean   = []string{"페니실린 알레르기 있음.", "다음 진료: 5월 12일 (확인됨)"}
)
